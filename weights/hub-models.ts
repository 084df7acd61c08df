// The models that download-model.ts knows, and where on the Hugging Face hub their files lie.

/** A file of a repository on the hub. */
export interface HubFile {
  repo: string;
  path: string;
  /** A branch, a commit or a pull request (`refs/pr/N`). */
  revision: string;
  /** Its name on this machine, under the model's folder. */
  as: string;
  /** The checksum it must have, where it comes from a place that is not the owner's or results are kept by it. */
  sha256?: string;
}

interface HubModel {
  /** Where it goes, under the folder of all weights; '' for that folder itself. */
  folder: string;
  megabytes: number;
  files: readonly HubFile[];
}

const weightsFile = 'model.safetensors';

/** By the names of the command line. */
export const hubModels: Readonly<Record<string, HubModel>> = {
  // OpenAI's repository has the weights as a pickle only. The hub's converter offers them as safetensors in a pull
  // request; other projects that pin this file name the same checksum.
  'clip-vit-base-patch32': clip('clip-vit-base-patch32', 605, {
    revision: 'refs/pr/15',
    sha256: '99d28a652e6ec46629ab7047a0ac82c69b1fe11e0ce672c43af65d3a9a3fc05d',
  }),
  'clip-vit-base-patch16': clip('clip-vit-base-patch16', 599),
  'clip-vit-large-patch14': clip('clip-vit-large-patch14', 1711),
  // A BERT that makes vectors of sentences. Its vectors are kept, so it is always the same one.
  'all-minilm-l6-v2': {
    folder: 'all-minilm-l6-v2',
    megabytes: 91,
    files: ['config.json', 'vocab.txt', weightsFile].map((path) => ({
      repo: 'sentence-transformers/all-MiniLM-L6-v2',
      path,
      revision: 'main',
      as: path,
      ...(path === weightsFile
        ? { sha256: '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db' }
        : {}),
    })),
  },
  // torchvision's weights under timm's names, which model/vgg/load-vgg.ts reads.
  vgg16: {
    folder: '',
    megabytes: 553,
    files: [{ repo: 'timm/vgg16.tv_in1k', path: weightsFile, revision: 'main', as: 'vgg16.safetensors' }],
  },
};

/** The model with its weights taken from another revision of their repository, whatever their checksum. */
export function atRevision(model: HubModel, revision: string): HubModel {
  const files = model.files.map(({ sha256, ...file }) =>
    file.path === weightsFile ? { ...file, revision } : { ...file, ...(sha256 ? { sha256 } : {}) },
  );
  return { ...model, files };
}

function clip(
  name: string,
  megabytes: number,
  weights: { revision?: string; sha256?: string } = {},
): HubModel {
  const file = (path: string) => ({ repo: `openai/${name}`, path, revision: 'main', as: path });
  return {
    folder: name,
    megabytes,
    files: [...['config.json', 'vocab.json', 'merges.txt'].map(file), { ...file(weightsFile), ...weights }],
  };
}

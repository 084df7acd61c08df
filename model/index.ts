// The networks for users: CLIP, BERT, ALBEF and VGG-16 in the layouts that they are published in, the tokenizers and the preprocessing
// that they expect, and the loss of the paper. In Node, Deno and the browser. What is not named here may change at any time.

export {
  albefPreprocessing,
  clipPreprocessing,
  type Preprocessing,
  preprocess,
  vggPreprocessing,
} from '../data/images/preprocess.ts';
export { createTokenizer, type TokenBatch, type Tokenizer } from '../data/text/tokenizer.ts';
export { loadTokenizer } from '../data/text/tokenizer-files.ts';
export type { WordPiece } from '../data/text/wordpiece/wordpiece.ts';
export { loadWordPiece } from '../data/text/wordpiece/wordpiece-files.ts';
export { InputError, MissingFileError, WeightsError } from '../files/errors.ts';
export { openSafetensors, readSafetensors, Safetensors, type TensorInfo } from '../weights/safetensors.ts';
export { Albef, type AlbefConfig, AlbefMatching } from './albef/albef.ts';
export { type AlbefOptions, type LoadedAlbef, loadAlbef } from './albef/load-albef.ts';
export { VisionTransformer, type VisionTransformerConfig } from './albef/vision-transformer.ts';
export {
  Bert,
  type BertBatch,
  type BertConfig,
  type BertDropout,
  BertPooler,
  type BertStates,
  firstTokens,
  meanEmbeds,
} from './bert/bert.ts';
export { type BertOptions, type LoadedBert, loadBert } from './bert/load-bert.ts';
export { type SentencePart, sentenceVectors } from './bert/sentence-vectors.ts';
export {
  Clip,
  type ClipConfig,
  ClipImageEncoder,
  ClipTextEncoder,
  type Features,
  type TextBatch,
  type TextFeatures,
  type TransformerConfig,
} from './clip/clip.ts';
export type { ClipDescription } from './clip/clip-config.ts';
export { type LoadedClip, loadClip } from './clip/load-clip.ts';
export type { LoadOptions } from './load-pretrained.ts';
export { contrastiveLoss } from './loss.ts';
export { ParameterError, ParameterStore } from './parameter-store.ts';
export { loadVgg } from './vgg/load-vgg.ts';
export { Vgg, type VggConfig, vgg16 } from './vgg/vgg.ts';

// From the teacher's space to the student's: y(x) = norm(W (t(x) - mu)), t a text's vector by the teacher, mu the mean of the
// corpus, W [d_z, d_teacher]. W begins as the first principal axes and is trained a little by InfoNCE on pairs, one W for both
// sides: trained to its end it tells glosses apart and forgets ordinary sentences.

import type { Device } from '../../engine/device.ts';
import { l2Normalize } from '../../engine/ops/l2-normalize.ts';
import { linear } from '../../engine/ops/linear.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { initialise } from '../../model/initialise.ts';
import type { ParameterSource } from '../../model/parameter-source.ts';
import { RandomStream } from '../random-stream.ts';
import { type ClipPretraining, phaseSchemas } from './clip-schema.ts';
import { type Phase, trainPhase, type Workplace } from './phase.ts';
import {
  centred,
  meanOf,
  pickRows,
  principalAxes,
  projected,
  type Rows,
  unitRows,
} from './principal-axes.ts';
import type { Corpus } from './text/corpus.ts';
import { countsOf, TextBatches } from './text/text-batches.ts';
import { studentLoss } from './text/text-loss.ts';

/** W and mu, on the host. */
export interface TeacherMap {
  mean: Float32Array<ArrayBuffer>;
  /** [d_z, d_teacher] */
  matrix: Float32Array<ArrayBuffer>;
  width: number;
}

class MapParameters {
  readonly logitScale: Tensor;
  readonly matrix: Tensor;

  constructor(p: ParameterSource, outputs: number, inputs: number, logitScale: number) {
    this.logitScale = p.parameter('logit_scale', [], { value: logitScale });
    this.matrix = p.parameter('map.weight', [outputs, inputs], { value: 0 });
  }
}

/** Trains the map on the teacher's vectors of the corpus; `validate` says how good one is. */
export async function trainTeacherMap(
  place: Workplace,
  config: ClipPretraining,
  vectors: Rows,
  corpus: Corpus,
  madeFrom: Phase['madeFrom'],
  validate: (map: TeacherMap) => ReturnType<Phase['validate']>,
): Promise<TeacherMap> {
  const { device } = place;
  const { map: settings, projection, loss } = config;
  // What linking is about decides the axes: WordNet has twenty texts for one of the knowledge base.
  const near = [...corpus.entities, ...corpus.spoken.flatMap(({ sentences }) => sentences)];
  const some = { values: pickRows(vectors, [...near, ...near.keys()]), width: vectors.width };
  const mean = meanOf(some);
  const { axes } = await principalAxes(device, centred(some, mean), projection.width);
  const rows = centred(vectors, mean);
  const { module, tensors } = initialise(
    device,
    new Random(place.seed),
    (p) => new MapParameters(p, projection.width, vectors.width, Math.log(loss.logitScale)),
  );
  device.write(module.matrix, axes);
  const current = async () => ({
    mean,
    matrix: await device.read<'f32'>(module.matrix),
    width: projection.width,
  });
  try {
    await trainPhase(place, {
      name: 'map',
      settings,
      schedule: 'linear',
      adam: { beta2: 0.999, eps: 1e-8 },
      parameters: tensors,
      schema: phaseSchemas.map,
      config,
      madeFrom,
      *batches() {
        const batches = new TextBatches(corpus, countsOf(settings), new RandomStream(place.seed));
        while (true) {
          const step = batches.next();
          yield {
            examples: step.rows.length,
            loss: () => {
              const inputs = device.tensor([step.rows.length, rows.width], pickRows(rows, step.rows));
              const outputs = l2Normalize(linear(inputs, module.matrix, null));
              return studentLoss(outputs, null, step, module.logitScale, settings, loss.maxLogitScale);
            },
          };
        }
      },
      validate: async () => validate(await current()),
    });
    return await current();
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
}

/** The student's targets [n, d_z], of length 1, of the teacher's vectors. */
export async function applyMap(device: Device, { mean, matrix }: TeacherMap, vectors: Rows): Promise<Rows> {
  const rows = centred(vectors, mean);
  return unitRows(await projected(device, rows, { values: matrix, width: rows.width }));
}

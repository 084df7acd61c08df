// How an expert's entities are stored in an index:
//   queries  [tokens, h]  the text unit's rows, one entity after the other; offsets say where each entity's begin
//   embeds   [n, d_z]     the whole text, which dense retrieval compares too
//   rows     [n, W]       its other vectors side by side: the text's weights h, vision 6 h, cross-modal h
//   scalars  [n, S]       text bias 1, vision 16, float32
// as far as the expert uses them. Queries are most of it and bear 8 bits.

import { concat, reshape, slice } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { PackedSide, SideLayout } from '../../ranking/scorer.ts';
import type { EntityOperands } from './expert-vectors.ts';
import { comparesImages, type ExpertKind, usesOf } from './experts.ts';
import { entityVisionVectors, visionOperandOf } from './vision-vectors.ts';

/** Columns of `rows` and of `scalars`, by the vectors' names. */
function columnsOf(kind: ExpertKind, h: number) {
  const { text: hasText, image: hasImage } = usesOf(kind);
  const hasVision = comparesImages(kind);
  return {
    weights: hasText ? h : 0,
    vision: hasVision ? 6 * h : 0,
    crossModal: hasText && hasImage ? h : 0,
    bias: hasText ? 1 : 0,
    visionScalars: hasVision ? 16 : 0,
  };
}

/** The parts of an expert whose units are `h` wide; d_z: width of CLIP's common space. */
export function sideLayout(kind: ExpertKind, h: number, d_z: number): SideLayout {
  const { weights, vision, crossModal, bias, visionScalars } = columnsOf(kind, h);
  return {
    rows: {
      columns: weights + vision + crossModal,
      planes: (weights + vision + crossModal) / h,
      rows: 'entity',
      precision: 'float16',
    },
    scalars: { columns: bias + visionScalars, rows: 'entity', precision: 'float32' },
    ...(weights > 0
      ? {
          embeds: { columns: d_z, rows: 'entity', precision: 'float16' },
          queries: { columns: h, rows: 'token', precision: 'int8' },
        }
      : {}),
  };
}

export function packOperands({ text, vision, crossModal }: EntityOperands): PackedSide {
  const vectors = [text?.weights, vision && entityVisionVectors(vision), crossModal].flatMap(
    (tensor) => tensor ?? [],
  );
  const bias = text && reshape(text.bias, [text.bias.size, 1]);
  const scalars = [bias, vision?.scalars].flatMap((tensor) => tensor ?? []);
  return {
    parts: {
      rows: concat(vectors, 1),
      scalars: concat(scalars, 1),
      ...(text ? { queries: text.queries, embeds: text.embeds } : {}),
    },
    offsets: text ? { queries: text.offsets } : {},
  };
}

/** What was packed, ready to be scored. */
export function unpackOperands(kind: ExpertKind, h: number, { parts, offsets }: PackedSide): EntityOperands {
  const { weights, vision, crossModal, bias, visionScalars } = columnsOf(kind, h);
  const { rows, scalars } = parts as { rows: Tensor; scalars: Tensor };
  const { queries, embeds } = parts;
  const { device } = rows;
  const n = scalars.shape[0]!;
  const planes = reshape(rows, [rows.size / n / h, n, h]);
  const plane = (number: number) => {
    const one = device.empty([n, h], 'f32', rows.name);
    device.copy(planes, one, n * h, number * n * h);
    return one;
  };
  const operands: EntityOperands = {};
  if (queries && embeds) {
    operands.text = {
      queries,
      offsets: offsets['queries']!,
      embeds,
      weights: plane(0),
      bias: reshape(slice(scalars, 1, 0, bias), [n]),
    };
  }
  if (vision > 0) {
    const own = slice(scalars, 1, bias, visionScalars);
    operands.vision = visionOperandOf('entity', planes, weights / h, own);
  }
  if (crossModal > 0) operands.crossModal = plane((weights + vision) / h);
  return operands;
}

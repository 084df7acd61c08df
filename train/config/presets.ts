// Presets: files with what suits a data set, shipped in presets/ or written by a person after one of these. What a
// training or an evaluation is told is taken from a preset and may be overridden field by field.

import * as v from 'valibot';
import { InputError } from '../../files/errors.ts';
import { kindOf } from '../../files/json/json-fields.ts';
import { readSmallText } from '../../files/locate.ts';
import { packageRoot, resolvePath } from '../../files/package-path.ts';
import { recipeOf, trainedSystems } from '../../model/baselines/rerankers.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { ConfigError, checkConfig } from './check.ts';
import {
  baselineSchema,
  evaluationSchema,
  expertSchema,
  gateSchema,
  indexSchema,
  linkSchema,
} from './schemas.ts';

export const presetNames = ['openconcepts', 'wikimel', 'richpediamel', 'wikidiverse'] as const;
export type PresetName = (typeof presetNames)[number];

const { data, clip, run, cache, expert, training } = expertSchema.entries;
const { bert, albef } = baselineSchema.entries;

/** A field that each kind of expert has a value of its own for. */
function byKind<S extends v.GenericSchema>(field: S) {
  return v.strictObject({ text: field, visual: field, multimodal: field });
}

/** A preset: all that its data set's trainings and evaluations are told, unless they are told otherwise. */
const presetSchema = v.strictObject({
  data,
  clip,
  bert,
  albef,
  run,
  cache,
  expert: v.strictObject({
    ...v.omit(expert, ['kind']).entries,
    training: v.strictObject({
      ...training.entries,
      epochs: byKind(training.entries.epochs),
      mentionsPerEpoch: v.optional(byKind(training.entries.mentionsPerEpoch), {}),
    }),
  }),
  gate: v.strictObject({ ...gateSchema.entries.gate.entries, training: gateSchema.entries.training }),
  /** What of a baseline's settings and training is not as its recipe says, which suits the paper's data sets. */
  baselines: v.optional(
    v.strictObject(
      Object.fromEntries(
        trainedSystems.map((name) => [
          name,
          v.optional(
            v.strictObject({
              ...v.partial(baselineSchema.entries.training).entries,
              options: baselineSchema.entries.baseline.entries.options,
            }),
            {},
          ),
        ]),
      ),
    ),
    {},
  ),
  names: evaluationSchema.entries.names,
  evaluation: evaluationSchema.entries.evaluation,
  index: indexSchema.entries.index,
  link: linkSchema.entries.link,
});
export type Preset = v.InferOutput<typeof presetSchema>;

/** Honest files have a few thousand bytes. */
const mostBytes = 2 ** 20;

/** Reads one of the shipped presets. */
export async function readPreset(name: PresetName): Promise<Preset> {
  return checkedPreset(...(await shipped(name)));
}

/**
 * Reads a preset that a person wrote. It may leave fields out: these are those of the shipped preset that it names as
 * `preset`, openconcepts by itself. Throws InputError, one line with the file and the field.
 */
export async function readPresetFile(file: string): Promise<Preset> {
  const { preset = 'openconcepts', ...own } = await readObject(file);
  const name = presetNames.find((known) => known === preset);
  if (!name) {
    throw new InputError({
      file,
      field: 'preset',
      expected: `one of ${presetNames.join(', ')}`,
      found: kindOf(preset),
    });
  }
  const [, base] = await shipped(name);
  return checkedPreset(file, merged(base, own));
}

/** What an expert of a kind is trained with; to be checked once flags or a caller have overridden fields. */
export function expertConfigOf({ data, clip, run, cache, expert }: Preset, kind: ExpertKind) {
  const { training, ...shape } = expert;
  // A kind that a preset has no number for looks at both modalities.
  const own = (numbers: { multimodal: number } & Partial<Record<ExpertKind, number>>) =>
    numbers[kind] ?? numbers.multimodal;
  return {
    data,
    clip,
    run,
    cache,
    expert: { kind, ...shape },
    training: {
      ...training,
      epochs: own(training.epochs),
      mentionsPerEpoch: own(training.mentionsPerEpoch),
    },
  };
}

/** What the gate is trained with. */
export function gateConfigOf({ data, clip, run, cache, gate }: Preset) {
  const { training, ...shape } = gate;
  return { data, clip, run, cache, gate: shape, training };
}

/** What a baseline is trained with: its recipe, but for what the preset says. */
export function baselineConfigOf({ data, clip, bert, albef, run, cache, baselines }: Preset, system: string) {
  const { options = {}, ...own } = baselines[system] ?? {};
  const training = { ...recipeOf(system), ...own };
  return { data, clip, bert, albef, run, cache, baseline: { system, options }, training };
}

/** What a piece of work on a trained run is told. */
export function workConfigOf<const S extends 'evaluation' | 'index' | 'link'>(preset: Preset, section: S) {
  const { data, clip, bert, albef, run, cache, names } = preset;
  return {
    data,
    clip,
    bert,
    albef,
    run,
    cache,
    ...(section === 'index' ? {} : { names }),
    [section]: preset[section],
  };
}

/** What the calibration of a run is told. */
export function calibrationConfigOf({ data, clip, bert, albef, run, cache, names }: Preset) {
  return { data, clip, bert, albef, run, cache, names };
}

async function shipped(name: PresetName): Promise<[file: string, content: Record<string, unknown>]> {
  const file = `${packageRoot()}/presets/${name}.json`;
  return [file, await readObject(file)];
}

async function readObject(file: string): Promise<Record<string, unknown>> {
  const text = await readSmallText(file, mostBytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError({ file, expected: 'JSON', found: (error as Error).message.split('\n')[0]! });
  }
  if (isObject(value)) return value;
  throw new InputError({ file, expected: 'an object of sections' });
}

function checkedPreset(file: string, value: object): Preset {
  try {
    const preset = checkConfig(presetSchema, value);
    const { vgg } = preset.gate;
    return {
      ...preset,
      data: { folder: resolvePath(preset.data.folder) },
      clip: { folder: resolvePath(preset.clip.folder) },
      bert: { folder: resolvePath(preset.bert.folder) },
      albef: { folder: resolvePath(preset.albef.folder) },
      gate: { ...preset.gate, vgg: resolvePath(vgg) },
    };
  } catch (error) {
    throw error instanceof ConfigError ? new InputError(`${file}: ${error.message}`) : error;
  }
}

/** The base with what is in `own` instead, section by section; lists are taken whole. */
function merged(base: Record<string, unknown>, own: Record<string, unknown>): Record<string, unknown> {
  const all = { ...base };
  for (const [name, value] of Object.entries(own)) {
    const before = Object.hasOwn(base, name) ? base[name] : undefined;
    all[name] = isObject(before) && isObject(value) ? merged(before, value) : value;
  }
  return all;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Links mentions that are in no data set: an index of a knowledge base and the system that it was built for, opened once,
// that give the best entities for what they are asked. Neither a data set nor the knowledge base itself is read.

import { mentionTexts } from '../data/entity-mention.ts';
import type { EntityRecords } from '../data/entity-records.ts';
import type { ImageInput } from '../data/images/image-input.ts';
import { PixelSource } from '../data/images/pixel-source.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { type Samples, sampleTexts } from '../encoding/samples.ts';
import { WarmStart } from '../engine/device/warm-start.ts';
import { type Device, openDevice } from '../engine/device.ts';
import { UsageError } from '../files/errors.ts';
import { allExpertKinds } from '../model/dsmip/experts.ts';
import { type IndexSource, openIndex } from '../ranking/index/source.ts';
import { Mixture, retrievalScorer } from '../ranking/mixture.ts';
import { joinLists } from '../ranking/pair-lists.ts';
import { retrieve } from '../ranking/retrieval.ts';
import { rankMentions } from '../ranking/scoring-pass.ts';
import { preparedMentions, prepareSamples } from '../ranking/sources.ts';
import { type EncoderFolders, shippedEncoders } from './baselines/own-encoders.ts';
import {
  type Calibration,
  confidenceOf,
  nameAdditions,
  probableEntities,
  readCalibration,
} from './calibration.ts';
import { findIndex, openRecords, placesOf } from './index-folder.ts';
import { type CallOptions, LinkQueue } from './link-queue.ts';
import { calibrationFolder, type LinkingModel, loadLinkingModel } from './linking-model.ts';
import { type OpenedBase, openModelBase, openTokenizer } from './model-base.ts';

/** A mention as a caller has it. `image`: path, bytes, Blob or URL; null or nothing for none. */
export interface LinkMention {
  word: string;
  sentence: string;
  image?: ImageInput;
}

/** An entity for a mention. */
export interface Linked {
  /** What the knowledge base calls it: `id`, or Wikidata's number. */
  qid: string;
  name: string;
  /** What the knowledge base says of it: tells it from others of the name. */
  attributes: string;
  /** The system's score; larger is better, comparable for one mention only. */
  score: number;
  /** The expert that scored it; null for a system without experts and for a mixture of several. */
  expert: string | null;
  /** That it is the right one, if the right one is in the knowledge base; null for a system that is not calibrated. */
  probability: number | null;
  /** That the right one is in the knowledge base: the same for all entities of a mention; null as above. */
  inKnowledgeBase: number | null;
}

export interface LinkOptions {
  /** Entities to give of each mention, best first. 1 to 1000, default 5. */
  top?: number;
  /**
   * Score only so many entities of each mention, the nearest by the system's vectors of texts, and those that its word may
   * name. Default 0: score all.
   */
  candidates?: number;
  /**
   * Give no entity of a mention where `inKnowledgeBase` is less, from 0 to 1: none of them. Default 0. Needs a calibrated
   * system.
   */
  threshold?: number;
  /** Ends the call: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface LinkerOptions {
  /** Folder or address of the index. Default: RUN/index. */
  index?: string;
  /** Folder or address of the run. Default: the one that the index was built with. */
  run?: string;
  /** What of a run, or instead of one, answers. Default: what the index was built for. */
  system?: string;
  /** Folder or address of the CLIP, in Hugging Face's layout. Default: the one that the index was built with. */
  clip?: string;
  /** Folders of what baselines begin from. Default: those that the package ships. */
  encoders?: Partial<EncoderFolders>;
  /**
   * Whether names and aliases count, by the run's calibration. Default: where it has one. Without, nothing of the
   * calibration is read.
   */
  names?: boolean;
  /** A device that is open already; it stays open. Default: one of the linker's own. */
  device?: Device;
  /** Told of images that cannot be read, in a line each; their mentions are linked as if without an image. */
  onWarning?(line: string): void;
}

export interface Linker {
  /** Entities of the knowledge base. */
  readonly entityCount: number;
  /** The system that answers: 'dsmip', an expert's or a baseline's name. */
  readonly system: string;
  /**
   * The best entities of each mention, best first. Calls that overlap are answered together. Throws UsageError for an option
   * or a mention that is not as it should be.
   */
  link(mentions: readonly LinkMention[], options?: LinkOptions): Promise<Linked[][]>;
  /** Answers what was asked, then closes the index and releases the weights, and the device where it is the linker's own. */
  close(): Promise<void>;
}

const mostTop = 1000;
const defaultTop = 5;

/**
 * Opens a run or an index for linking: `openLinker('runs/default')`, `openLinker('my-kb')`, or with options. DSMIP answers
 * where the run has a gate, else its best expert. Throws UsageError, InputError and WeightsError, one line each, for an index
 * that was not built yet, for files that are missing, damaged, or do not belong together. At an address (http, https) only
 * their form is checked: what a server gives together is taken to belong together. In Node and Deno the kernels that a first
 * answer needed are remembered in the user's cache folder, by adapter and system, and are compiled while the next linker
 * opens; DSMIP_CACHE names another folder, and empty none.
 */
export async function openLinker(where: string | LinkerOptions): Promise<Linker> {
  const options: LinkerOptions = typeof where === 'string' ? await placesOf(where) : where;
  const { index, run, system, clip, head } = await findIndex(options);
  const device = options.device ?? (await openDevice());
  const opened: { close(): unknown }[] = options.device ? [] : [{ close: () => device.destroy() }];
  try {
    const kernels = new WarmStart(device, `link ${system ?? ''}`);
    opened.push(kernels);
    const base = await openModelBase({ clip, encoders: { ...shippedEncoders, ...options.encoders }, device });
    opened.push(base);
    const tokenizer = await openTokenizer(base.clip);
    opened.push({ close: () => tokenizer.free() });
    const model = await loadLinkingModel(base, run, system);
    opened.push({ close: () => model.release() });
    const fingerprints = model.fingerprint === null ? {} : { model: model.fingerprint };
    const entities = await openIndex(index, model.scorer, fingerprints, head);
    opened.push(entities);
    const records = await openRecords(index, entities.head);
    opened.push(records);
    const { name } = model.scorer;
    const calibration =
      options.names === false
        ? null
        : await readCalibration(calibrationFolder(name, run, clip), name, model.fingerprint);
    if (options.names === true && !calibration?.names) {
      throw new UsageError(`${run ?? clip}: names: ${name} was not calibrated with names there`);
    }
    const parts = {
      kernels,
      base,
      tokenizer,
      model,
      entities,
      records,
      calibration,
      onWarning: options.onWarning ?? null,
    };
    return new OpenLinker(parts, opened);
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

interface Parts {
  kernels: WarmStart;
  base: OpenedBase;
  tokenizer: Tokenizer;
  model: LinkingModel;
  entities: IndexSource;
  records: EntityRecords;
  calibration: Calibration | null;
  onWarning: ((line: string) => void) | null;
}

class OpenLinker implements Linker {
  readonly entityCount: number;
  readonly system: string;
  readonly #parts: Parts;
  readonly #opened: readonly { close(): unknown }[];
  readonly #queue: LinkQueue<LinkMention, Linked[]>;
  #closing: Promise<void> | null = null;

  /** `opened`: what it closes, in the order in which it was opened. */
  constructor(parts: Parts, opened: readonly { close(): unknown }[]) {
    this.#parts = parts;
    this.#opened = opened;
    this.entityCount = parts.entities.count;
    this.system = parts.model.scorer.name;
    this.#queue = new LinkQueue((mentions, options) =>
      parts.kernels.run(() => this.#answer(mentions, options)),
    );
  }

  async link(
    mentions: readonly LinkMention[],
    { top = defaultTop, candidates = 0, threshold = 0, signal }: LinkOptions = {},
  ): Promise<Linked[][]> {
    if (this.#closing) throw new UsageError('the linker is closed');
    checkNumber('top', top, 1, mostTop);
    checkNumber('candidates', candidates, 0, Number.MAX_SAFE_INTEGER);
    if (candidates > 0 && !retrievalScorer([this.#parts.model.scorer])) {
      throw new UsageError(`candidates: ${this.system} has no vectors of texts to find them by`);
    }
    if (!(threshold >= 0 && threshold <= 1)) {
      throw new UsageError(`threshold: expected a number from 0 to 1, found ${threshold}`);
    }
    if (threshold > 0 && !this.#parts.calibration) {
      throw new UsageError(`threshold: ${this.system} is not calibrated: it cannot tell how sure it is`);
    }
    for (const [i, mention] of mentions.entries()) checkMention(`mentions[${i}]`, mention);
    const found = await this.#queue.add(mentions, { top, candidates }, signal);
    return found.map((own) => own.filter(({ inKnowledgeBase }) => (inKnowledgeBase ?? 1) >= threshold));
  }

  close(): Promise<void> {
    this.#closing ??= this.#queue.idle().then(() => closeAll(this.#opened));
    return this.#closing;
  }

  async #answer(mentions: readonly LinkMention[], { top, candidates }: CallOptions): Promise<Linked[][]> {
    const { scorer } = this.#parts.model;
    const { entities, records, calibration } = this.#parts;
    const names = calibration?.names ?? null;
    const source = await this.#mentionSource(mentions);
    const matches = names ? await Promise.all(mentions.map(({ word }) => records.matches(word))) : null;
    const additions = matches && nameAdditions(matches, names!);
    const near =
      candidates > 0 ? await retrieve(retrievalScorer([scorer])!, source, entities, candidates) : null;
    const { systems } = await rankMentions({
      systems: [scorer],
      mentions: source,
      entities,
      top: Math.min(calibration ? Math.max(top, probableEntities) : top, this.entityCount),
      ...(near && { candidates: additions ? joinLists(near, additions) : near }),
      rankings: [{ name: scorer.name, system: scorer, additions }],
    });
    const alone = scorer instanceof Mixture || !isExpert(scorer.name) ? null : scorer.name;
    return Promise.all(
      systems[scorer.name]!.top.map((found, mention) => {
        const sure =
          calibration &&
          confidenceOf(found.slice(0, probableEntities), matches?.[mention] ?? [], calibration);
        return Promise.all(
          found.slice(0, top).map(async ({ entity, score, part }, i) => {
            const { qid, name, attributes } = await records.read(entity);
            return {
              qid,
              name,
              attributes,
              score,
              expert: part ?? alone,
              probability: sure && (sure.probabilities[i] ?? 0),
              inKnowledgeBase: sure?.inKnowledgeBase ?? null,
            };
          }),
        );
      }),
    );
  }

  /** Encodes mentions as a split's; tells of images that cannot be read. */
  async #mentionSource(mentions: readonly LinkMention[]) {
    const { base, tokenizer, model, onWarning } = this.#parts;
    const images = mentions.map(({ image }) => image ?? null);
    const samples: Samples = {
      ...sampleTexts(tokenizer, mentions.map(mentionTexts), base.clip.config.text.maxLength),
      images: images.map((image, i) => (image === null ? [] : [i + 1])),
    };
    const files = [null, ...images];
    const source = new PixelSource(files, base.features.source.how);
    const prepared = await prepareSamples([model.scorer], 'mention', samples, {
      ...base.features,
      source,
      files,
    });
    for (const problem of source.takeFailures()) {
      onWarning?.(`${problem}; its mention is linked as if without an image`);
    }
    return preparedMentions(prepared);
  }
}

function isExpert(name: string): boolean {
  return (allExpertKinds as readonly string[]).includes(name);
}

function checkNumber(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new UsageError(`${name}: expected a whole number from ${least} to ${most}, found ${value}`);
}

/** Throws UsageError for what types alone do not keep out. */
function checkMention(at: string, mention: LinkMention): void {
  const { word, sentence, image = null } = mention ?? {};
  for (const [field, value] of Object.entries({ word, sentence })) {
    if (typeof value === 'string' && value.trim() !== '') continue;
    throw new UsageError(`${at}.${field}: expected a text that is not empty`);
  }
  const isImage =
    image === null ||
    (typeof image === 'string' && image !== '') ||
    image instanceof Uint8Array ||
    image instanceof Blob ||
    image instanceof URL;
  if (!isImage) throw new UsageError(`${at}.image: expected a path, a Uint8Array, a Blob, a URL or null`);
}

/** Closes all, the last opened first, and throws the first error. */
async function closeAll(opened: readonly { close(): unknown }[]): Promise<void> {
  const errors: unknown[] = [];
  for (const each of opened.toReversed()) {
    try {
      await each.close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

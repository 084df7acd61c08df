// Links mentions that are in no data set: an index of a knowledge base and the system that it was built for, opened once,
// that give the best entities for what they are asked. Neither a data set nor the knowledge base itself is read. Entities can
// be put and deleted beside the index.

import { mentionTexts } from '../data/entity-mention.ts';
import { type ImageInput, readImage } from '../data/images/image-input.ts';
import { PixelSource } from '../data/images/pixel-source.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { type Samples, sampleTexts } from '../encoding/samples.ts';
import { WarmStart } from '../engine/device/warm-start.ts';
import { type Device, openDevice } from '../engine/device.ts';
import { UsageError } from '../files/errors.ts';
import { isUrl } from '../files/locate.ts';
import { Expert } from '../model/dsmip/expert-model.ts';
import { allExpertKinds } from '../model/dsmip/experts.ts';
import { openIndex } from '../ranking/index/source.ts';
import { Mixture, retrievalScorer } from '../ranking/mixture.ts';
import { additionTo, joinLists } from '../ranking/pair-lists.ts';
import { retrieve } from '../ranking/retrieval.ts';
import type { AnyScorer } from '../ranking/scorer.ts';
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
import { type CallOptions, LinkQueue } from './calls/link-queue.ts';
import { Turns } from './calls/turns.ts';
import { type EntityStore, type KnownEntity, type Outcome, openEntityStore } from './changes/entity-store.ts';
import type { Change } from './changes/journal.ts';
import { expertScores } from './expert-scores.ts';
import { changesFile, findIndex, knownFingerprints, openRecords, placesOf } from './index-folder.ts';
import { calibrationFolder, type LinkingModel, loadLinkingModel } from './linking-model.ts';
import { type OpenedBase, openModelBase, openTokenizer } from './model-base.ts';
import { type TextAttention, wordAttention } from './word-attention.ts';

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
  /** Where `explain` asked for it, what `score` is made of; null for a system that is not made of experts. */
  explanation?: Explanation | null;
}

export interface Explanation {
  /** What each expert gives the pair, on the scale on which the gate compares; `score` is the chosen one's and `names`. */
  experts: Readonly<Record<string, number>>;
  /** What was added for the entity's name; 0 where it is not the mention's word. */
  names: number;
  /** Of each expert that reads texts, what of the mention's the entity's attends to. */
  attention: Readonly<Record<string, TextAttention>>;
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
  /** Whether to say what each expert thinks of the entities that are given: a second look at these alone. Default: no. */
  explain?: boolean;
  /** Whether an image that cannot be read is an error. Default: a warning, and its mention is linked as if without one. */
  strictImages?: boolean;
  /** Ends the call: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** An entity to put into the knowledge base. `image`: path, bytes, Blob or URL; null or nothing for none. */
export interface EntityToPut {
  qid: string;
  name: string;
  aliases?: readonly string[];
  attributes?: string;
  image?: ImageInput;
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
  /**
   * Whether entities may be put and deleted, by one linker at a time. Those that were are in a journal beside the index, and
   * every linker that is opened on it knows them. Default: no.
   */
  writable?: boolean;
  /** Milliseconds that a first call waits for others to be answered with it. Default 0. */
  gatherMs?: number;
  /** Told of images that cannot be read, in a line each; their mentions are linked as if without an image. */
  onWarning?(line: string): void;
}

export interface Linker {
  /** Entities of the knowledge base, as it is now. */
  readonly entityCount: number;
  /** The system that answers: 'dsmip', an expert's or a baseline's name. */
  readonly system: string;
  /** Whether it can tell how sure it is. */
  readonly isCalibrated: boolean;
  /**
   * The best entities of each mention, best first. Calls that overlap are answered together. Throws UsageError for an option
   * or a mention that is not as it should be.
   */
  link(mentions: readonly LinkMention[], options?: LinkOptions): Promise<Linked[][]>;
  /** The entity that the knowledge base calls so; null where there is none. */
  entity(qid: string): Promise<KnownEntity | null>;
  /** The entities that a name may mean: those that have it, or else nearly; the first 100. */
  named(name: string): Promise<KnownEntity[]>;
  /**
   * Puts an entity in, in place of one of the same `qid` where there is one; from then on mentions are linked to it. It is on
   * the disk when this resolves. A call that `signal` ends may have been done all the same. Throws UsageError for a linker
   * that is not writable and for an image that cannot be read, InputError where the disk refuses.
   */
  put(entity: EntityToPut, options?: { signal?: AbortSignal }): Promise<'created' | 'replaced'>;
  /** Takes an entity out, as lastingly as `put`; says whether there was one. */
  delete(qid: string, options?: { signal?: AbortSignal }): Promise<boolean>;
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
    const fingerprints = knownFingerprints(model.fingerprint, base.tokenizerHash);
    const source = await openIndex(index, model.scorer, fingerprints, head);
    opened.push(source);
    const records = await openRecords(index, source.head);
    opened.push(records);
    const encoding = { tokenizer, maxLength: base.clip.config.text.maxLength, features: base.features };
    const journal = isUrl(index) ? null : changesFile(index);
    const parts = { index: source, records, encoding, journal };
    const entities = await openEntityStore(parts, options.writable ?? false);
    opened.push(entities);
    const { name } = model.scorer;
    const calibration =
      options.names === false
        ? null
        : await readCalibration(calibrationFolder(name, run, clip), name, model.fingerprint);
    if (options.names === true && !calibration?.names) {
      throw new UsageError(`${run ?? clip}: names: ${name} was not calibrated with names there`);
    }
    const { onWarning = null, gatherMs = 0 } = options;
    return new OpenLinker(
      { kernels, base, tokenizer, model, entities, calibration, onWarning },
      opened,
      gatherMs,
    );
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
  entities: EntityStore;
  calibration: Calibration | null;
  onWarning: ((line: string) => void) | null;
}

/** What is found for a mention. */
interface Found {
  entities: Linked[];
  /** What is wrong with its image; null for nothing. */
  problem: string | null;
}

class OpenLinker implements Linker {
  readonly system: string;
  readonly #parts: Parts;
  readonly #opened: readonly { close(): unknown }[];
  /** Entities do not change while mentions are being answered. */
  readonly #turns = new Turns();
  readonly #queue: LinkQueue<LinkMention, Found>;
  /** Changes that wait at the same time are made together: the disk is waited for once. */
  readonly #changes: LinkQueue<Change, Outcome>;
  #closing: Promise<void> | null = null;

  /** `opened`: what it closes, in the order in which it was opened. */
  constructor(parts: Parts, opened: readonly { close(): unknown }[], gatherMs: number) {
    this.#parts = parts;
    this.#opened = opened;
    this.system = parts.model.scorer.name;
    this.#queue = new LinkQueue((mentions, options, signal) => {
      const answer = () => this.#answer(mentions, options, signal);
      return this.#turns.take(() => parts.kernels.run(answer));
    }, gatherMs);
    this.#changes = new LinkQueue((changes) => this.#turns.take(() => parts.entities.change(changes)));
  }

  get isCalibrated(): boolean {
    return this.#parts.calibration !== null;
  }

  get entityCount(): number {
    return this.#parts.entities.count;
  }

  async link(mentions: readonly LinkMention[], options: LinkOptions = {}): Promise<Linked[][]> {
    const {
      top = defaultTop,
      candidates = 0,
      threshold = 0,
      explain = false,
      strictImages = false,
    } = options;
    this.#checkOpen();
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
    const found = await this.#queue.add(mentions, { top, candidates, explain }, options.signal);
    for (const [i, { problem }] of found.entries()) {
      if (problem === null) continue;
      if (strictImages) throw new UsageError(`mentions[${i}].image: ${problem}`);
      this.#parts.onWarning?.(`${problem}; its mention is linked as if without an image`);
    }
    return found.map(({ entities }) =>
      entities.filter(({ inKnowledgeBase }) => (inKnowledgeBase ?? 1) >= threshold),
    );
  }

  entity(qid: string): Promise<KnownEntity | null> {
    return this.#look((entities) => entities.find(qid));
  }

  named(name: string): Promise<KnownEntity[]> {
    return this.#look(async (entities) => {
      const matches = await entities.matches(name);
      return Promise.all(matches.map(({ row }) => entities.read(row)));
    });
  }

  async put(entity: EntityToPut, { signal }: { signal?: AbortSignal } = {}): Promise<'created' | 'replaced'> {
    this.#checkOpen();
    checkEntity(entity);
    const { qid, name, aliases = [], attributes = '', image = null } = entity;
    const bytes = image === null ? null : await readImage(image);
    const put = { qid, name, aliases: [...aliases], attributes, image: bytes };
    return (await this.#change({ put }, signal)) as 'created' | 'replaced';
  }

  async delete(qid: string, { signal }: { signal?: AbortSignal } = {}): Promise<boolean> {
    this.#checkOpen();
    return (await this.#change({ delete: qid }, signal)) === 'deleted';
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([this.#queue.idle(), this.#changes.idle()])
      .then(() => this.#turns.take(async () => {}))
      .then(() => closeAll(this.#opened));
    return this.#closing;
  }

  #checkOpen(): void {
    if (this.#closing) throw new UsageError('the linker is closed');
  }

  /** Looks at entities while they do not change. */
  async #look<T>(work: (entities: EntityStore) => Promise<T>): Promise<T> {
    this.#checkOpen();
    return this.#turns.take(() => work(this.#parts.entities));
  }

  async #change(change: Change, signal?: AbortSignal): Promise<Outcome> {
    const [outcome] = await this.#changes.add([change], noOptions, signal);
    return outcome!;
  }

  async #answer(
    mentions: readonly LinkMention[],
    { top, candidates, explain }: CallOptions,
    signal: AbortSignal,
  ): Promise<Found[]> {
    const { scorer } = this.#parts.model;
    const { entities: store, calibration } = this.#parts;
    const names = calibration?.names ?? null;
    signal.throwIfAborted();
    const { source, problems } = await this.#mentionSource(mentions);
    const entities = store.source;
    if (entities.count === 0) return problems.map((problem) => ({ entities: [], problem }));
    const matches = names ? await Promise.all(mentions.map(({ word }) => store.matches(word))) : null;
    const additions = matches && nameAdditions(matches, names!);
    const near =
      candidates > 0 ? await retrieve(retrievalScorer([scorer])!, source, entities, candidates) : null;
    const { systems } = await rankMentions({
      systems: [scorer],
      mentions: source,
      entities,
      top: Math.min(calibration ? Math.max(top, probableEntities) : top, entities.count),
      ...(near && { candidates: additions ? joinLists(near, additions) : near }),
      rankings: [{ name: scorer.name, system: scorer, additions }],
      onProgress: () => signal.throwIfAborted(),
    });
    const best = systems[scorer.name]!.top.map((found) => found.slice(0, top));
    const experts =
      explain && scorer instanceof Mixture ? await expertScores(scorer, source, entities, best) : null;
    const attention =
      explain && scorer instanceof Mixture
        ? await wordAttention(
            scorer.parts.filter(isExpertScorer),
            mentions,
            this.#parts.tokenizer,
            source,
            entities,
            best,
          )
        : null;
    const alone = scorer instanceof Mixture || !isExpert(scorer.name) ? null : scorer.name;
    return Promise.all(
      systems[scorer.name]!.top.map(async (found, mention) => {
        const sure =
          calibration &&
          confidenceOf(found.slice(0, probableEntities), matches?.[mention] ?? [], calibration);
        const linked = await Promise.all(
          best[mention]!.map(async ({ entity, score, part }, i) => {
            const { qid, name, attributes } = await store.read(entity);
            const names = (additions && additionTo(additions, mention, entity)) ?? 0;
            return {
              qid,
              name,
              attributes,
              score,
              expert: part ?? alone,
              probability: sure && (sure.probabilities[i] ?? 0),
              inKnowledgeBase: sure?.inKnowledgeBase ?? null,
              ...(explain && {
                explanation: experts &&
                  attention && { experts: experts[mention]![i]!, names, attention: attention[mention]![i]! },
              }),
            };
          }),
        );
        return { entities: linked, problem: problems[mention]! };
      }),
    );
  }

  /** Encodes mentions as a split's; by mention what is wrong with its image. */
  async #mentionSource(mentions: readonly LinkMention[]) {
    const { base, tokenizer, model } = this.#parts;
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
    const failures = source.takeFailures();
    return {
      source: preparedMentions(prepared),
      problems: mentions.map((_, i) => failures.get(i + 1) ?? null),
    };
  }
}

/** Changes have no options that they would have to agree in. */
const noOptions: CallOptions = { top: 0, candidates: 0 };

function isExpertScorer(scorer: AnyScorer): scorer is Expert {
  return scorer instanceof Expert;
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
  for (const [field, value] of Object.entries({ word, sentence })) checkText(`${at}.${field}`, value);
  checkImage(`${at}.image`, image);
}

/** The same of an entity. */
function checkEntity(entity: EntityToPut): void {
  const { qid, name, aliases = [], attributes = '', image = null } = entity ?? {};
  for (const [field, value] of Object.entries({ qid, name })) checkText(field, value);
  if (!Array.isArray(aliases) || aliases.some((alias) => typeof alias !== 'string')) {
    throw new UsageError('aliases: expected a list of texts');
  }
  if (typeof attributes !== 'string') throw new UsageError('attributes: expected a text');
  for (const [field, texts] of Object.entries({ aliases, attributes: [attributes] })) {
    for (const text of texts) checkWhole(field, text);
  }
  checkImage('image', image);
}

function checkText(field: string, value: unknown): void {
  if (typeof value !== 'string' || value.trim() === '') {
    throw new UsageError(`${field}: expected a text that is not empty`);
  }
  checkWhole(field, value);
}

/** Half a character has no UTF-8: two ids of which it is a part would become one in a file. */
function checkWhole(field: string, text: string): void {
  if (/\p{Surrogate}/u.test(text))
    throw new UsageError(`${field}: expected whole characters, found half of one`);
}

function checkImage(at: string, image: unknown): void {
  const isImage =
    image === null ||
    (typeof image === 'string' && image !== '') ||
    image instanceof Uint8Array ||
    image instanceof Blob ||
    image instanceof URL;
  if (!isImage) throw new UsageError(`${at}: expected a path, a Uint8Array, a Blob, a URL or null`);
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

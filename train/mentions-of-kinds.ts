// Which kinds of mentions a training learns from and is validated on.

import { type MentionKind, mentionKinds, type Split } from '../data/entity-mention.ts';
import { type Corpus, cutSamples } from '../encoding/samples.ts';
import type { Session } from '../link/session.ts';
import { fieldError } from './config/check.ts';

/**
 * The session with the mentions of some kinds only, to train and to validate on; mentions of a data set without kinds are
 * all there. Its checkpoints belong to the whole data set. Throws ConfigError where none are left.
 */
export function sessionOfKinds(session: Session, kinds: readonly MentionKind[]): Session {
  if (mentionKinds.every((kind) => kinds.includes(kind))) return session;
  const { corpus, dataset } = session;
  const part = (split: 'train' | 'dev') => {
    const rows = dataset.splits[split].flatMap(({ kind }, row) =>
      kind === undefined || kinds.includes(kind) ? [row] : [],
    );
    if (rows.length === 0) {
      throw fieldError('training.kinds', `kinds that ${split} has mentions of`, kinds.join(', '));
    }
    return {
      listed: rows.map((row) => dataset.splits[split][row]!),
      samples: cutSamples(corpus.mentions[split], rows),
      gold: Int32Array.from(rows, (row) => corpus.gold[split][row]!),
    };
  };
  const [train, dev] = [part('train'), part('dev')];
  const mentions: Corpus['mentions'] = { ...corpus.mentions, train: train.samples, dev: dev.samples };
  const gold: Record<Split, Int32Array<ArrayBuffer>> = { ...corpus.gold, train: train.gold, dev: dev.gold };
  const splits = { ...dataset.splits, train: train.listed, dev: dev.listed };
  return { ...session, dataset: { ...dataset, splits }, corpus: { ...corpus, mentions, gold } };
}

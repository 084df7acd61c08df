// A contest: systems that score with the same experts, so that one pass through the knowledge base serves them all. The
// experts as stage 1 left them make one, DSMIP, whose scoring units stage 2 trained on, another.

import type { Split } from '../data/dataset.ts';
import { dsmipPass, gateShares } from '../link/dsmip-split.ts';
import type { Answering } from '../link/linking-model.ts';
import type { Session } from '../link/session.ts';
import { mentionTables, type SplitTables, splitSources, splitTablesOf } from '../link/split.ts';
import type { Dsmip } from '../model/dsmip/dsmip-model.ts';
import { type Expert, lastingFeatures } from '../model/dsmip/expert-model.ts';
import type { ExpertKind } from '../model/dsmip/experts.ts';
import type { ScoringPass } from '../ranking/scoring-pass.ts';
import { type EntitySource, type RowTables, tableMentions } from '../ranking/sources.ts';
import { expertAlone, meanOf } from '../ranking/systems.ts';

export interface Contest {
  name: 'experts' | 'dsmip';
  pass: ScoringPass;
  dsmip: Dsmip | null;
}

/** A split's features by expert: stage 2 leaves encoders and prompts as they are, so both contests share them. */
export async function splitFeatures(
  session: Session,
  experts: readonly Expert[],
  split: Split,
): Promise<Map<ExpertKind, SplitTables>> {
  const tables = await splitTablesOf(session, experts, split);
  return new Map(experts.map(({ kind }, i) => [kind, tables[i]!]));
}

/** Each expert alone and, if `averaged` names some, their plain mean. */
export function expertContest(
  session: Session,
  experts: readonly Expert[],
  split: Split,
  tables: ReadonlyMap<ExpertKind, SplitTables>,
  averaged: readonly ExpertKind[],
): Contest {
  const kinds = experts.map(({ kind }) => kind);
  const alone = kinds.map((kind, i) => expertAlone(kind, i, kinds.length));
  const mean =
    averaged.length > 0
      ? [
          meanOf(
            'mean',
            kinds.map((kind) => averaged.includes(kind)),
          ),
        ]
      : [];
  const sources = splitSources(session, experts, split, tablesOf(experts, tables));
  const golds = session.corpus.answers[split];
  return {
    name: 'experts',
    pass: { device: session.device, kinds, ...sources, systems: [...alone, ...mean], golds },
    dsmip: null,
  };
}

export async function dsmipContest(
  session: Session,
  dsmip: Dsmip,
  split: Split,
  tables: ReadonlyMap<ExpertKind, SplitTables>,
): Promise<Contest> {
  const pass = await dsmipPass(session, dsmip, split, tablesOf(dsmip.experts, tables));
  return { name: 'dsmip', pass, dsmip };
}

/** What answers alone, on entities from the run's index. */
export async function indexContest(
  session: Session,
  { experts, dsmip, system }: Answering,
  split: Split,
  entities: EntitySource,
): Promise<Contest> {
  const { tokens } = session.corpus.mentions[split];
  const tables: RowTables[] = [];
  for (const expert of experts)
    tables.push(await mentionTables(session, expert, split, lastingFeatures(session, expert)));
  const gate = dsmip && (await gateShares(session, dsmip, split, 'mention'));
  return {
    name: dsmip ? 'dsmip' : 'experts',
    pass: {
      device: session.device,
      kinds: experts.map(({ kind }) => kind),
      mentions: tableMentions(experts, tables, tokens.lengths, gate),
      entities,
      systems: [system],
      golds: session.corpus.answers[split],
    },
    dsmip,
  };
}

function tablesOf(experts: readonly Expert[], tables: ReadonlyMap<ExpertKind, SplitTables>) {
  return experts.map(({ kind }) => tables.get(kind)!);
}

// Evaluation for users: ranks of a trained run's mentions, its entity index, its report; systems compared. In Node and Deno. What is not named here
// may change at any time.

export { workConfigOf } from '../train/config/presets.ts';
export type { EvaluationConfig, IndexConfig, ReportConfig } from '../train/config/schemas.ts';
export { type BuiltIndex, buildIndex, indexKnowledgeBase } from './build-index.ts';
export { type CompareFiles, type CompareHooks, compareSystems } from './compare/compare.ts';
export type { CompareConfig } from './compare/compare-schema.ts';
export { type EvaluationFiles, evaluate } from './evaluate.ts';
export { writeReport } from './write-report.ts';

// The figures of the paper that ours stand beside: its tables, as printed. Other data sets than the embedded default.

/** H@k in percent and mean rank; what the paper does not give is absent. */
export interface PaperFigures {
  'hits@1': number;
  'hits@3': number;
  'hits@5': number;
  mr?: number;
}

/** Table 1: DSMIP, and MIMIC, its strongest baseline. */
export const table1 = {
  RichpediaMEL: {
    DSMIP: { 'hits@1': 85.03, 'hits@3': 92.89, 'hits@5': 94.97, mr: 21.24 },
    MIMIC: { 'hits@1': 81.02, 'hits@3': 91.77, 'hits@5': 94.38, mr: 55.11 },
  },
  WikiMEL: {
    DSMIP: { 'hits@1': 88.97, 'hits@3': 95.7, 'hits@5': 96.86, mr: 10.37 },
    MIMIC: { 'hits@1': 87.98, 'hits@3': 95.07, 'hits@5': 96.37, mr: 11.02 },
  },
  WikiDiverse: {
    DSMIP: { 'hits@1': 62.46, 'hits@3': 80.6, 'hits@5': 86.92, mr: 222.9 },
    MIMIC: { 'hits@1': 63.51, 'hits@3': 81.04, 'hits@5': 86.43, mr: 227.08 },
  },
} as const satisfies Record<string, Record<'DSMIP' | 'MIMIC', PaperFigures>>;

/** Table 2: ablations on WikiMEL. */
export const table2 = {
  dsmip: { 'hits@1': 88.97, 'hits@3': 95.7, 'hits@5': 96.86 },
  text: { 'hits@1': 65.31, 'hits@3': 79.35, 'hits@5': 84.13 },
  visual: { 'hits@1': 31.51, 'hits@3': 37.57, 'hits@5': 40.64 },
  multimodal: { 'hits@1': 86.26, 'hits@3': 94, 'hits@5': 95.85 },
  'no-prompts': { 'hits@1': 78.6, 'hits@3': 88.93, 'hits@5': 91.97 },
} as const satisfies Record<string, PaperFigures>;

/** Table 3: trainable parameters of the multimodal expert, in millions. */
export const table3 = { finetune: 153, prompts: 7.6 } as const;

// What the paper says of the data sets' sizes (Tables 4 and 5), as printed.

/** Table 4's columns and Table 5's mentions a split. `note` is on a figure that cannot be. */
interface PaperSizes {
  name: string;
  mentions: number;
  samples: number;
  mentionImages: number;
  entities: number;
  entityImages: number;
  train: number;
  dev: number;
  test: number;
  note?: string;
}

const SIZES: readonly PaperSizes[] = [
  {
    name: 'RichpediaMEL',
    mentions: 17805,
    samples: 17724,
    mentionImages: 15853,
    entities: 160935,
    entityImages: 86769,
    train: 12463,
    dev: 1780,
    test: 3562,
  },
  {
    name: 'WikiMEL',
    mentions: 25846,
    samples: 22070,
    mentionImages: 22136,
    entities: 109976,
    entityImages: 67195,
    train: 18092,
    dev: 2585,
    test: 2078,
    note: 'Table 5 prints 2,078 for the test split; 25,846 - 18,092 - 2,585 = 5,169',
  },
  {
    name: 'WikiDiverse',
    mentions: 15093,
    samples: 7405,
    mentionImages: 6697,
    entities: 132460,
    entityImages: 67309,
    train: 11351,
    dev: 1664,
    test: 2078,
  },
];

/** The paper's figures for a data set by its name, however it is spelled (WIKIMEL, wiki_diverse); else null. */
export function paperSizes(name: string): PaperSizes | null {
  const letters = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '');
  return SIZES.find((sizes) => letters(sizes.name) === letters(name)) ?? null;
}

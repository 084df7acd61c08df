// Links mentions that are in no data set: an index of a knowledge base and the system that it was built for, opened once,
// that give the best entities for what they are asked. Neither the knowledge base nor a data set is read.

import { type EntityRecords, plainAttributes } from '../data/entity-records.ts';
import { mentionText } from '../data/entity-mention.ts';
import { type ImageInput, imageName } from '../data/images/image-input.ts';
import { PixelSource } from '../data/images/pixel-source.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { loadTokenizer } from '../data/text/tokenizer-files.ts';
import { type Samples, tokenizeTexts } from '../encoding/samples.ts';
import type { Device } from '../engine/device.ts';

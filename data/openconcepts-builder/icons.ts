// RandomStream the builder's pictures: one icon of an Iconify set -> 96 x 96 JPEG on white.
// Knows how each vendor names an emoji or a flag; knows nothing of WordNet or of the data set.
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';

const SIZE = 96;
const MARGIN = 4;
const QUALITY = 70;

interface Icon {
  body: string;
  width?: number;
  height?: number;
  left?: number;
  top?: number;
}
interface Alias {
  parent: string;
  hFlip?: boolean;
  vFlip?: boolean;
  rotate?: number;
}

/** One vendor's icons with the names of emoji that it has under their code points (lower-case hex, '-' between). */
export interface IconSet {
  vendor: string;
  icons: Record<string, Icon>;
  aliases: Record<string, Alias>;
  names: Record<string, string>;
  width: number;
  height: number;
}

/** Reads `@iconify-json/<vendor>` from the folder of installed packages. */
export function readIconSet(packages: string, vendor: string): IconSet {
  const folder = `${packages}/@iconify-json/${vendor}`;
  const set = JSON.parse(readFileSync(`${folder}/icons.json`, 'utf8'));
  const names = JSON.parse(readFileSync(`${folder}/chars.json`, 'utf8'));
  return {
    vendor,
    icons: set.icons,
    aliases: set.aliases ?? {},
    names: Array.isArray(names) ? {} : names,
    width: set.width ?? 16,
    height: set.height ?? 16,
  };
}

/**
 * The SVG text of the first of `names` that the set has, or null. An alias that turns or mirrors its parent is
 * another picture and does not count.
 */
export function findIcon(set: IconSet, names: string[]): string | null {
  for (const name of names) {
    const icon = set.icons[name] ?? aliasedIcon(set, name);
    if (icon === undefined) continue;
    const box = [icon.left ?? 0, icon.top ?? 0, icon.width ?? set.width, icon.height ?? set.height].join(' ');
    return (
      '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ' +
      `viewBox="${box}">${icon.body}</svg>`
    );
  }
  return null;
}

/** Names under which vendors keep an emoji: by code points where the set lists them, else by its label. */
export function emojiNames(sets: IconSet[], hexcode: string, label: string): string[] {
  const key = hexcode.toLowerCase();
  const keys = [key, key.replaceAll('-fe0f', '')];
  const listed = sets.flatMap((set) => keys.flatMap((k) => set.names[k] ?? []));
  return [...new Set([...listed, slug(label)])];
}

/** 'Côte d’Ivoire' -> 'cote-divoire'. */
export function slug(text: string): string {
  return text
    .normalize('NFD')
    .replace(/[\u0300-\u036f’']/g, '')
    .toLowerCase()
    .replaceAll('&', 'and')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** Renders an SVG to a JPEG, scaled to fit with a small margin and centred on white. */
export async function renderJpeg(svg: string): Promise<Uint8Array> {
  const view = svg.match(/viewBox="(\S+) (\S+) (\S+) (\S+)"/)!;
  const [width, height] = [Number(view[3]), Number(view[4])];
  const inner = SIZE - 2 * MARGIN;
  // librsvg draws at `density` / 72 pixels a unit: ask for twice the size and let the resize smooth it.
  const density = Math.min(2400, (72 * 2 * inner) / Math.max(width, height));
  return await sharp(Buffer.from(svg.replace('<svg ', `<svg width="${width}" height="${height}" `)), {
    density,
  })
    .resize(inner, inner, { fit: 'contain', background: '#ffffff' })
    .flatten({ background: '#ffffff' })
    .extend({ top: MARGIN, bottom: MARGIN, left: MARGIN, right: MARGIN, background: '#ffffff' })
    .jpeg({ quality: QUALITY, mozjpeg: true, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

function aliasedIcon(set: IconSet, name: string): Icon | undefined {
  const alias = set.aliases[name];
  if (alias === undefined || alias.hFlip || alias.vFlip || alias.rotate) return undefined;
  return set.icons[alias.parent] ?? aliasedIcon(set, alias.parent);
}

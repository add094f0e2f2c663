/**
 * The lines that the collector job writes, among any others in its log:
 *
 *     @evalsaga1 missing                                  there is no such folder
 *     @evalsaga1 file INDEX SIZE SHA256 PATH              one per file, in the order of sending; PATH in base64
 *     @evalsaga1 skipped REASON PATH
 *     @evalsaga1 total FILES BYTES                        the index is complete
 *     @evalsaga1 piece INDEX OFFSET CRC32 DATA            zlib stream of the file, cut in pieces; DATA in base64
 *     @evalsaga1 done INDEX PACKED                        length of that stream
 *     @evalsaga1 beyond INDEX BYTES                       from this file on, the total is above the limit
 *     @evalsaga1 end
 *     @evalsaga1 holds COUNT NAME…                        not removed: unexpected entries, the first three in base64
 *
 * Pure.
 */

import type { LineOptions } from '../../support/lines';

export type CollectorLine =
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'file';
      readonly index: number;
      readonly size: number;
      readonly sha256: string;
      readonly path: string;
    }
  | { readonly kind: 'skipped'; readonly reason: string; readonly path: string }
  | { readonly kind: 'total'; readonly files: number; readonly bytes: number }
  | {
      readonly kind: 'piece';
      readonly index: number;
      readonly offset: number;
      readonly crc: string;
      readonly data: Buffer;
    }
  | { readonly kind: 'done'; readonly index: number; readonly packed: number }
  | { readonly kind: 'beyond'; readonly index: number; readonly bytes: number }
  | { readonly kind: 'holds'; readonly count: number; readonly names: readonly string[] }
  | { readonly kind: 'end' };

const mark = '@evalsaga1 ';

/** Parses a line of the log; returns `undefined` for lines that are damaged or not of the protocol. */
export function parseCollectorLine(line: string): CollectorLine | undefined {
  const at = line.indexOf(mark);
  if (at < 0) return undefined;
  // Log systems add times before a line, and carriage returns after it.
  const [kind, ...words] = line
    .slice(at + mark.length)
    .trim()
    .split(' ');
  switch (kind) {
    case 'missing':
    case 'end':
      return words.length === 0 ? { kind } : undefined;
    case 'file': {
      const [index, size] = numbers(words, 2, 4);
      const [, , sha256 = '', path] = words;
      if (index === undefined || size === undefined || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
      return { kind, index, size, sha256, path: textOf(path) };
    }
    case 'skipped':
      return words.length === 2
        ? { kind, reason: (words[0] ?? '').replaceAll('-', ' '), path: textOf(words[1]) }
        : undefined;
    case 'total': {
      const [files, bytes] = numbers(words, 2, 2);
      return files === undefined || bytes === undefined ? undefined : { kind, files, bytes };
    }
    case 'piece': {
      const [index, offset] = numbers(words, 2, 4);
      const [, , crc = '', data = ''] = words;
      if (index === undefined || offset === undefined || !/^[0-9a-f]{8}$/.test(crc)) return undefined;
      return { kind, index, offset, crc, data: Buffer.from(data, 'base64') };
    }
    case 'done': {
      const [index, packed] = numbers(words, 2, 2);
      return index === undefined || packed === undefined ? undefined : { kind, index, packed };
    }
    case 'beyond': {
      const [index, bytes] = numbers(words, 2, 2);
      return index === undefined || bytes === undefined ? undefined : { kind, index, bytes };
    }
    case 'holds': {
      const [count] = numbers(words, 1, Math.min(Number(words[0]), 3) + 1);
      return count === undefined ? undefined : { kind, count, names: words.slice(1).map(textOf) };
    }
    default:
      return undefined;
  }
}

/** Returns the first `count` of exactly `length` words as whole numbers, or none if one is not. */
function numbers(words: readonly string[], count: number, length: number): (number | undefined)[] {
  if (words.length !== length || !words.slice(0, count).every((word) => /^\d{1,15}$/.test(word))) return [];
  return words.slice(0, count).map(Number);
}

const textOf = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('utf8');

/** Drops lines that are longer than any of the protocol, or cut off: they can't be trusted. */
export const collectorLines: LineOptions = { longest: 64 * 1024, excess: 'dropped', unfinished: 'dropped' };

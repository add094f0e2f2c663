import { createWriteStream } from 'node:fs';
import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { escapeRegExp } from '../../../support/escape-regexp';
import { shellWords } from '../../../support/shell';

/** Packs the results of a simulated job as the script in its command would, if that says so. */

export interface Packing {
  /** Name of the archive in the results folder. */
  readonly name: string;
  /** Bytes, unpacked. */
  readonly most: number;
  readonly mostFiles: number;
  /** Names that are not packed; one of a folder ends in `/`. */
  readonly skip: readonly string[];
}

/** Returns how a job's script packs its results; `undefined` if it does not. Pure. */
export function packingIn(script: string): Packing | undefined {
  const line = /^ *python3 -I -S -X utf8 - "\$out" (.+) >\/dev\/null 2>&1 <<'EVALSAGA_PACK'/m.exec(script)?.[1];
  const [name, most, mostFiles, ...skip] = shellWords(line ?? '') ?? [];
  return name === undefined ? undefined : { name, most: Number(most), mostFiles: Number(mostFiles), skip };
}

/** Makes the archive of a results folder. */
export async function packResults(folder: string, { name, most, mostFiles, skip }: Packing): Promise<void> {
  const found = (await filesBelow(folder, '', skip)).filter((file) => file !== name && file !== `${name}.part`);
  const sized = await Promise.all(
    found.map(async (file) => ({ file, size: (await stat(path.join(folder, file))).size })),
  );
  const zip = new ZipFile();
  const files: object[] = [];
  let total = 0;
  for (const { file, size } of sized.sort((a, b) => a.size - b.size)) {
    if (total + size > most || files.length >= mostFiles) break;
    const content = await readFile(path.join(folder, file));
    const entry = String(files.length);
    zip.addBuffer(content, entry);
    files.push({ path: file, size, sha256: createHash('sha256').update(content).digest('hex'), entry });
    total += size;
  }
  zip.addBuffer(Buffer.from(JSON.stringify({ version: 1, files })), 'manifest.json');
  zip.end();
  const part = path.join(folder, `${name}.part`);
  await pipeline(zip.outputStream, createWriteStream(part));
  await rename(part, path.join(folder, name));
}

async function filesBelow(folder: string, inner: string, skip: readonly string[]): Promise<string[]> {
  const entries = await readdir(path.join(folder, inner), { withFileTypes: true });
  const below = entries.map(async (entry): Promise<string[]> => {
    const file = path.posix.join(inner, entry.name);
    if (skip.some((rule) => isMeant(rule, entry.name, entry.isDirectory()))) return [];
    if (entry.isDirectory()) return filesBelow(folder, file, skip);
    return entry.isFile() ? [file] : [];
  });
  return (await Promise.all(below)).flat();
}

const isMeant = (rule: string, name: string, isFolder: boolean): boolean =>
  rule.endsWith('/') === isFolder &&
  new RegExp(`^${rule.replace(/\/$/, '').split('*').map(escapeRegExp).join('.*')}$`, 's').test(name);

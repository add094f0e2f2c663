import { createHash } from 'node:crypto';
import path from 'node:path';
import type { CallOptions, LeptonStorage } from '../lepton/types';
import { interruptedMarkers } from './notes';

/** What lies in a task's storage folder, and where each file goes at home. */

export interface RemoteFile {
  /** Absolute in the file system. */
  readonly remote: string;
  /** Relative, with `/`: below the target folder. */
  readonly local: string;
}

export interface RemoteTree {
  readonly files: readonly RemoteFile[];
  /** Left where it is on purpose, with the reason. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/** Bytes that every file system takes for a name, with room for what is put before it. */
const longestName = 240;
/** Bytes of a whole path below the target; systems take 4096 with everything. */
const longestPath = 2_000;

/** Bounds on what a job may have left: beyond them it is no result folder. */
export const deepest = 32;
export const mostFiles = 50_000;
/** Each costs a request. */
const mostFolders = 10_000;

/** Names at the top that the fetch itself writes. */
const ownNames = new Set(['manifest.json', '.fetched.jsonl']);

/** What is shown first when a fetch ends early: the scores, then what explains them. */
const firstNames = [
  'results.yml',
  ...interruptedMarkers,
  'evalsaga_notes.json',
  'eval_factory_metrics.json',
  'run_config.yml',
  'metadata.yaml',
];

/** A storage folder that can't be brought home as it is. */
export class UnusableFolder extends Error {
  override readonly name = 'UnusableFolder';
}

/** Walks the folder; `undefined` when there is none. Files in the order in which they should come home. */
export async function readRemoteTree(
  storage: LeptonStorage,
  {
    fileSystem,
    folder,
    options,
    onFolder,
  }: { fileSystem: string; folder: string; options: CallOptions; onFolder?: () => void },
): Promise<RemoteTree | undefined> {
  const files: RemoteFile[] = [];
  const skipped: { path: string; reason: string }[] = [];
  const open: { remote: string; local: string; depth: number }[] = [{ remote: folder, local: '', depth: 0 }];
  let folders = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    folders += 1;
    const entries = await storage.list(fileSystem, next.remote, options);
    onFolder?.();
    if (entries === undefined && next.depth === 0) return undefined;
    for (const { type, name } of entries ?? []) {
      const remote = path.posix.join(next.remote, checkName(name, next.remote));
      const local = path.posix.join(next.local, localName(name, next.depth));
      const reason = reasonToSkip(type, name);
      if (reason !== undefined) skipped.push({ path: local, reason });
      else if (type === 'dir') open.push({ remote, local, depth: next.depth + 1 });
      else files.push({ remote, local });
    }
    if (next.depth > deepest) throw new UnusableFolder(`${next.remote}: folders are nested more than ${deepest} deep`);
    if (files.length > mostFiles) throw new UnusableFolder(`${folder}: more than ${mostFiles} files`);
    if (folders + open.length > mostFolders) throw new UnusableFolder(`${folder}: more than ${mostFolders} folders`);
  }
  return { files: inOrder(refuseClashes(files, folder)), skipped: skipped.sort((a, b) => compare(a.path, b.path)) };
}

/** Caches are made again by the next run, and can be larger than all else. */
function reasonToSkip(type: 'dir' | 'file', name: string): string | undefined {
  if (type === 'dir') return /cache/i.test(name) ? 'cache folder' : undefined;
  if (name.endsWith('.db')) return 'database of a cache';
  return name.endsWith('.lock') ? 'lock file' : undefined;
}

/** A name that is no name would lead out of the folder: no file system has such entries, so the server is not to be trusted. */
function checkName(name: string, folder: string): string {
  if (
    name === '' ||
    name === '.' ||
    name === '..' ||
    name.includes('/') ||
    name.includes('\0') ||
    /\p{Surrogate}/u.test(name)
  ) {
    throw new UnusableFolder(
      `${folder}: the platform lists an entry called ${JSON.stringify(name.slice(0, 80))}, which is no file name`,
    );
  }
  return name;
}

/** Where a file with this path below the task's folder goes at home; refuses a path that leads out of it. */
export function localPath(relative: string, folder: string): string {
  return relative
    .split('/')
    .map((name, depth) => localName(checkName(name, folder), depth))
    .join('/');
}

/** Control characters and backslashes, legal in a container, come home as `%0A`: visible, and safe on every system. */
function localName(name: string, depth: number): string {
  const safe = name.replace(/[\u0000-\u001f\u007f-\u009f\\]/g, (character) => encodeURIComponent(character));
  return depth === 0 && ownNames.has(safe) ? `${safe}.remote` : short(safe);
}

/** Escapes make names longer, and other file systems than ours take longer ones: a digest stands for the middle then. */
function short(name: string): string {
  if (Buffer.byteLength(name) <= longestName) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 12);
  const { name: stem, ext } = path.posix.parse(name);
  const extension = Buffer.byteLength(ext) <= 20 ? ext : '';
  return `${Buffer.from(stem)
    .subarray(0, 150)
    .toString('utf8')
    .replace(/\ufffd+$/, '')}~${digest}${extension}`;
}

/** Whether two names that differ in case only are the same file here. */
const caseless = process.platform === 'darwin' || process.platform === 'win32';

export function refuseClashes<T extends { readonly local: string }>(
  files: T[],
  folder: string,
  foldsCase = caseless,
): T[] {
  const seen = new Set<string>();
  for (const { local } of files) {
    const place = foldsCase ? local.normalize('NFC').toLowerCase() : local;
    if (seen.has(place)) throw new UnusableFolder(`${folder}: two files would both come home as ${local}`);
    if (Buffer.byteLength(local) > longestPath) throw new UnusableFolder(`${folder}: the path ${local} is too long`);
    seen.add(place);
  }
  return files;
}

function inOrder(files: RemoteFile[]): RemoteFile[] {
  const rank = ({ local }: RemoteFile) => {
    const position = firstNames.indexOf(local);
    return position < 0 ? firstNames.length : position;
  };
  return files.sort((a, b) => rank(a) - rank(b) || compare(a.local, b.local));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

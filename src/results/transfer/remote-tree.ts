import { createHash } from 'node:crypto';
import path from 'node:path';
import { archiveNames } from '../../contract/results-archive';
import { defaultSkips } from '../../contract/skip-results';
import type { CallOptions, LeptonStorage, StorageEntry } from '../../lepton/types';
import { interruptedMarkers } from '../scores/notes';
import { skippedByName, skipRule, type NotHome, type SkipRule } from './skip-rules';

/** Lists a task's storage folder, and maps each file to its local place. */

export interface RemoteFile {
  /** Absolute in the file system. */
  readonly remote: string;
  /** Relative, with `/`: below the target folder. */
  readonly local: string;
}

export interface RemoteTree {
  readonly files: readonly RemoteFile[];
  /** Not fetched on purpose: caches. */
  readonly skipped: readonly NotHome[];
  /** Can't be fetched: stays in storage, which is kept. */
  readonly left: readonly NotHome[];
}

/** Bytes of a name that every file system accepts, with room for a prefix. */
const maxNameBytes = 240;
/** Bytes of a path relative to the target; systems accept 4096 in all. */
const maxPathBytes = 2_000;

/** Limits on what is fetched of a folder. Each file and folder costs a request or two. */
export interface TreeBounds {
  readonly depth: number;
  readonly files: number;
  readonly folders: number;
}

/** For a run, which waits for it. */
export const boundsOfRun: TreeBounds = { depth: 32, files: 50_000, folders: 10_000 };
/** For `cleanup`, which a person starts and can wait for. */
export const boundsOfCleanup: TreeBounds = { depth: 400, files: 2_000_000, folders: 500_000 };

/** Names at the top that the fetch itself writes. */
const ownNames = new Set(['manifest.json', '.fetched.jsonl']);

/** Fetched first, in case a fetch ends early: the scores, then what explains them. */
const firstNames = [
  'results.yml',
  ...interruptedMarkers,
  'evalsaga_notes.json',
  'eval_factory_metrics.json',
  'run_config.yml',
  'metadata.yaml',
];

/** A storage folder that can't be fetched as it is. */
export class UnusableFolder extends Error {
  override readonly name = 'UnusableFolder';
}

export interface TreeRequest {
  readonly fileSystem: string;
  readonly folder: string;
  readonly options: CallOptions;
  readonly onFolder?: () => void;
  /** Default: `boundsOfRun`. */
  readonly bounds?: TreeBounds | undefined;
  /** Default: `defaultSkips`. */
  readonly skip?: readonly string[] | undefined;
  /** Names at the top of the folder, as in `skip`: nothing else is fetched. Default: everything is. */
  readonly only?: readonly string[] | undefined;
}

/**
 * Lists the folder, with files in the order in which to fetch them; `undefined` if there is no folder. `top`: its own entries, if they
 * have just been listed.
 */
export async function readRemoteTree(
  storage: LeptonStorage,
  request: TreeRequest,
  top?: readonly StorageEntry[],
): Promise<RemoteTree | undefined> {
  const walk = new Walk(request);
  for (let next = walk.next(); next !== undefined; next = walk.next()) {
    const entries =
      next.depth === 0 && top ? top : await storage.list(request.fileSystem, next.remote, request.options);
    request.onFolder?.();
    if (entries === undefined && next.depth === 0) return undefined;
    for (const entry of entries ?? []) walk.take(next, entry);
  }
  return walk.tree();
}

/** Returns those of the first files that are among the folder's own entries, since the listing of all may take long. Pure. */
export function firstFilesOf(folder: string, entries: readonly StorageEntry[]): readonly RemoteFile[] {
  const files = entries.filter(({ type, name }) => type !== 'dir' && firstNames.includes(name));
  return inOrder(files.map(({ name }) => ({ remote: path.posix.join(folder, name), local: name })));
}

/** Limit on the entries that are listed as not fetched. */
const maxLeft = 10_000;

interface OpenFolder {
  readonly remote: string;
  readonly local: string;
  readonly depth: number;
}

class Walk {
  private readonly files: RemoteFile[] = [];
  private readonly skipped: NotHome[] = [];
  private readonly left: NotHome[] = [];
  private readonly open: OpenFolder[];
  private readonly bounds: TreeBounds;
  private readonly isSkipped: SkipRule;
  private readonly isWanted: SkipRule;
  private folders = 1;

  constructor(private readonly request: TreeRequest) {
    this.open = [{ remote: request.folder, local: '', depth: 0 }];
    this.bounds = request.bounds ?? boundsOfRun;
    this.isSkipped = skipRule(request.skip ?? defaultSkips);
    this.isWanted = request.only ? skipRule(request.only) : () => true;
  }

  next(): OpenFolder | undefined {
    return this.open.pop();
  }

  take(folder: OpenFolder, { type, name }: { readonly type: 'dir' | 'file'; readonly name: string }): void {
    if (folder.depth === 0 && archiveNames.has(name)) return;
    if (!isName(name)) return this.leave(folder, JSON.stringify(name.slice(0, 80)), 'not a file name');
    const local = path.posix.join(folder.local, localName(name, folder.depth));
    if (folder.depth === 0 && !this.isWanted(type, name)) return;
    if (this.isSkipped(type, name)) return void this.skipped.push({ path: local, reason: skippedByName });
    const remote = path.posix.join(folder.remote, name);
    if (type === 'file') {
      if (this.files.length < this.bounds.files) this.files.push({ remote, local });
      else this.leave(folder, name, `more than ${this.bounds.files} files`);
    } else if (folder.depth >= this.bounds.depth) {
      this.leave(folder, name, `nested more than ${this.bounds.depth} deep`);
    } else if (this.folders >= this.bounds.folders) {
      this.leave(folder, name, `more than ${this.bounds.folders} folders`);
    } else {
      this.folders += 1;
      this.open.push({ remote, local, depth: folder.depth + 1 });
    }
  }

  tree(): RemoteTree {
    const { files, clashes } = withoutClashes(this.files);
    return {
      files: inOrder(files),
      skipped: this.skipped.sort((a, b) => compare(a.path, b.path)),
      left: [...this.left, ...clashes],
    };
  }

  private leave(folder: OpenFolder, name: string, reason: string): void {
    if (this.left.length < maxLeft) this.left.push({ path: path.posix.join(folder.local, name), reason });
  }
}

/** Rejects names that could lead out of the folder; no file system has such entries. */
const isName = (name: string): boolean =>
  name !== '' &&
  name !== '.' &&
  name !== '..' &&
  !name.includes('/') &&
  !name.includes('\0') &&
  !/\p{Surrogate}/u.test(name);

/** Returns the local path for a path below the task's folder; `undefined` for one that leads out of it. */
export function localPath(relative: string): string | undefined {
  const names = relative.split('/');
  return names.every(isName) ? names.map(localName).join('/') : undefined;
}

/** Escapes control characters and backslashes, which are legal in a container, as `%0A`: visible, and safe on every system. */
function localName(name: string, depth: number): string {
  const safe = name.replace(/[\u0000-\u001f\u007f-\u009f\\]/g, (character) => encodeURIComponent(character));
  return depth === 0 && ownNames.has(safe) ? `${safe}.remote` : short(safe);
}

/** Shortens names that are too long here (escaped, or from another file system) with a digest in place of the middle. */
function short(name: string): string {
  if (Buffer.byteLength(name) <= maxNameBytes) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 12);
  const { name: stem, ext } = path.posix.parse(name);
  const extension = Buffer.byteLength(ext) <= 20 ? ext : '';
  return `${Buffer.from(stem)
    .subarray(0, 150)
    .toString('utf8')
    .replace(/\ufffd+$/, '')}~${digest}${extension}`;
}

/** Whether names that differ only in case are the same file on this system. */
const caseless = process.platform === 'darwin' || process.platform === 'win32';

/** Separates files with a unique local place from those whose place is taken or whose path is too long. */
export function withoutClashes<T extends { readonly local: string }>(
  files: readonly T[],
  foldsCase = caseless,
): { readonly files: T[]; readonly clashes: readonly NotHome[] } {
  const seen = new Set<string>();
  const placed: T[] = [];
  const clashes: NotHome[] = [];
  for (const file of files) {
    const { local } = file;
    const place = foldsCase ? local.normalize('NFC').toLowerCase() : local;
    if (seen.has(place)) clashes.push({ path: local, reason: 'another file has this name here' });
    else if (Buffer.byteLength(local) > maxPathBytes) clashes.push({ path: local, reason: 'its path is too long' });
    else placed.push(file);
    seen.add(place);
  }
  return { files: placed, clashes };
}

/** Sorts files into the order in which to fetch them. */
export function inOrder(files: RemoteFile[]): RemoteFile[] {
  const rank = ({ local }: RemoteFile) => {
    const position = firstNames.indexOf(local);
    return position < 0 ? firstNames.length : position;
  };
  return files.sort((a, b) => rank(a) - rank(b) || compare(a.local, b.local));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

import { randomBytes } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import { lstat, mkdir, opendir, readdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import { ApiError, invalid, notFound } from '../api-error';
import type { SpecMount } from '../runtime';
import type { CreatedFolders } from './created-folders';
import { checkFileSystem, defaultFileSystem, fileSystemOf, partsOf } from './paths';
import { removeTree } from './remove-tree';

export interface StorageEntry {
  readonly type: 'dir' | 'file';
  readonly name: string;
  /** Absolute in the file system. */
  readonly path: string;
}

export type StorageNode =
  { readonly kind: 'dir' } | { readonly kind: 'file'; readonly file: string; readonly size: number };

/**
 * The workspace's storage: a plain folder per file system. Jobs write here without restriction, so every path is checked
 * part by part, and links that lead out of the file system are not followed.
 */
export class FileSystems {
  readonly #root: string;
  readonly #uploads: string;
  readonly #created: CreatedFolders;
  /** Returns the mounts of all deployments and jobs: their folders stay, even when empty. */
  readonly #mountsInUse: () => readonly SpecMount[];
  readonly #keepsParents: boolean;
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: {
    root: string;
    uploads: string;
    createdFolders: CreatedFolders;
    mountsInUse: () => readonly SpecMount[];
    /** Folders that get empty stay. Default: they go, unless created by request. */
    keepsParents?: boolean;
  }) {
    this.#root = options.root;
    this.#uploads = options.uploads;
    this.#created = options.createdFolders;
    this.#mountsInUse = options.mountsInUse;
    this.#keepsParents = options.keepsParents ?? false;
  }

  /** Creates the root folder and removes uploads that a kill interrupted. Called once, before anything else. */
  async prepare(): Promise<void> {
    await rm(this.#uploads, { recursive: true, force: true });
    await mkdir(this.#root, { recursive: true });
  }

  async names(): Promise<string[]> {
    const entries = await readdir(this.#root, { withFileTypes: true });
    const found = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    return [...new Set([defaultFileSystem, ...found])].sort();
  }

  /** Returns the folder of a mount, created if missing. */
  async mountFolder({ from, path: source }: Pick<SpecMount, 'from' | 'path'>): Promise<string> {
    return this.#exclusively(() => this.#makeFolder(fileSystemOf(from), partsOf(source ?? '')));
  }

  /** Returns what is at that path; `undefined` if nothing is. */
  async find(fileSystem: string, at: string): Promise<StorageNode | undefined> {
    const parts = partsOf(at);
    const real = await this.#existing(fileSystem, parts);
    if (real === undefined) return parts.length === 0 ? { kind: 'dir' } : undefined;
    const found = await unlessGone(stat(real));
    if (found?.isDirectory()) return { kind: 'dir' };
    return found?.isFile() ? { kind: 'file', file: real, size: found.size } : undefined;
  }

  /** Throws 404 if there is no such folder. */
  async list(fileSystem: string, at: string): Promise<StorageEntry[]> {
    const parts = partsOf(at);
    const folder = await this.#existing(fileSystem, parts);
    const entries = folder === undefined ? undefined : await unlessGone(readdir(folder, { withFileTypes: true }));
    if (folder === undefined || entries === undefined) {
      if (parts.length === 0) return [];
      throw notFound(`storage ${fileSystem}:/${parts.join('/')} was not found`);
    }
    const listed: StorageEntry[] = [];
    for (const entry of entries) {
      const type = await this.#typeOf(fileSystem, path.join(folder, entry.name), entry);
      if (type !== undefined) listed.push({ type, name: entry.name, path: `/${[...parts, entry.name].join('/')}` });
    }
    return listed.sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Creates a folder that stays until it is deleted, even when empty. */
  async makeFolder(fileSystem: string, at: string): Promise<void> {
    const parts = partsOf(at);
    await this.#created.add(fileSystem, parts.join('/'));
    await this.#exclusively(() => this.#makeFolder(fileSystem, parts));
  }

  /** Stores `content` as a file. Readers see either the old file or the complete new one. */
  async write(fileSystem: string, at: string, content: Readable): Promise<void> {
    const parts = partsOf(at);
    const name = parts.at(-1);
    if (name === undefined) throw invalid('a file needs a name below /');
    await mkdir(this.#uploads, { recursive: true });
    const draft = path.join(this.#uploads, randomBytes(8).toString('hex'));
    try {
      await pipeline(content, createWriteStream(draft, { flush: true }));
      await this.#exclusively(async () => {
        const target = path.join(await this.#makeFolder(fileSystem, parts.slice(0, -1)), name);
        if ((await lstat(target).catch(() => undefined))?.isDirectory())
          throw invalid(`/${parts.join('/')} is a folder`);
        await rename(draft, target);
      });
    } finally {
      await rm(draft, { force: true });
    }
  }

  /**
   * Throws 404, and 400 for a non-empty folder unless `all`. Also removes parent folders left empty, unless created
   * by request.
   */
  async remove(fileSystem: string, at: string, { all }: { all: boolean }): Promise<void> {
    const parts = partsOf(at);
    const name = parts.at(-1);
    if (name === undefined) throw invalid('the root of a file system cannot be removed');
    const folder = await this.#existing(fileSystem, parts.slice(0, -1));
    const target = path.join(folder ?? '', name);
    const found = folder === undefined ? undefined : await lstat(target).catch(() => undefined);
    if (found === undefined) throw notFound(`storage ${fileSystem}:/${parts.join('/')} was not found`);
    if (found.isDirectory() && !all && ((await unlessGone(readdir(target))) ?? []).length > 0) {
      throw invalid(
        `/${parts.join('/')} is a folder that is not empty: use removeall=true to remove it with its content`,
      );
    }
    await removeTree(target);
    await this.#created.removeBelow(fileSystem, parts.join('/'));
    await this.#exclusively(() => this.#prune(fileSystem, parts.slice(0, -1)));
  }

  /** Removes the folders of these mounts that are empty and were not created by request. */
  async releaseMounts(mounts: readonly SpecMount[]): Promise<void> {
    for (const mount of mounts) {
      await this.#exclusively(() => this.#prune(fileSystemOf(mount.from), partsOf(mount.path ?? '')));
    }
  }

  /** Returns all files and empty folders as `fs:/path`. */
  async leaves(): Promise<string[]> {
    const found: string[] = [];
    for (const name of await this.names()) {
      const root = path.join(this.#root, name);
      for await (const leaf of leavesBelow(root))
        found.push(`${name}:/${path.relative(root, leaf).split(path.sep).join('/')}`);
    }
    return found.sort();
  }

  async usedBytes(): Promise<number> {
    let total = 0;
    for (const name of await this.names()) {
      for await (const leaf of leavesBelow(path.join(this.#root, name))) {
        total += (await lstat(leaf).catch((): Pick<Stats, 'size'> => ({ size: 0 }))).size;
      }
    }
    return total;
  }

  /** Makes one change to the tree at a time: a folder must not be pruned while another is created in it. */
  #exclusively<T>(change: () => Promise<T>): Promise<T> {
    const next = this.#changes.then(change);
    this.#changes = next.catch(() => undefined);
    return next;
  }

  async #prune(fileSystem: string, parts: readonly string[]): Promise<void> {
    if (this.#keepsParents) return;
    const inUse = new Set(
      this.#mountsInUse().map((mount) => [fileSystemOf(mount.from), ...partsOf(mount.path ?? '')].join('/')),
    );
    for (let depth = parts.length; depth > 0; depth--) {
      const part = parts.slice(0, depth);
      if (this.#created.has(fileSystem, part.join('/')) || inUse.has([fileSystem, ...part].join('/'))) return;
      const removed = await rmdir(path.join(this.#root, fileSystem, ...part)).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
      );
      if (!removed) return;
    }
  }

  async #makeFolder(fileSystem: string, parts: readonly string[]): Promise<string> {
    const root = await this.#ensureRoot(fileSystem);
    let folder = root;
    for (const part of parts) {
      const next = path.join(folder, part);
      await mkdir(next).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      folder = await this.#inside(root, next);
      if (!(await stat(folder)).isDirectory()) throw invalid(`/${parts.join('/')}: ${part} is a file`);
    }
    return folder;
  }

  async #ensureRoot(fileSystem: string): Promise<string> {
    checkFileSystem(fileSystem);
    const root = path.join(this.#root, fileSystem);
    await mkdir(root, { recursive: true });
    return realpath(root);
  }

  async #existing(fileSystem: string, parts: readonly string[]): Promise<string | undefined> {
    checkFileSystem(fileSystem);
    try {
      const root = await realpath(path.join(this.#root, fileSystem));
      return await this.#inside(root, path.join(root, ...parts));
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  async #inside(root: string, candidate: string): Promise<string> {
    const real = await realpath(candidate);
    if (real !== root && !real.startsWith(root + path.sep)) {
      throw new ApiError(403, `${path.relative(root, candidate)} is a link that leads out of the file system`);
    }
    return real;
  }

  async #typeOf(fileSystem: string, full: string, entry: Dirent): Promise<StorageEntry['type'] | undefined> {
    if (entry.isDirectory()) return 'dir';
    if (entry.isFile()) return 'file';
    if (!entry.isSymbolicLink()) return undefined;
    try {
      const real = await this.#inside(await realpath(path.join(this.#root, fileSystem)), full);
      const found = await stat(real);
      // A link to a folder that contains it would make listings endless.
      if (found.isDirectory()) return `${path.dirname(full)}/`.startsWith(`${real}/`) ? undefined : 'dir';
      return found.isFile() ? 'file' : undefined;
    } catch {
      return undefined; // the link is broken or leads out
    }
  }
}

/** Returns `undefined` if what was found a moment ago has been removed since. */
async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

const isGone = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '');

async function* leavesBelow(folder: string): AsyncGenerator<string> {
  const entries = await opendir(folder).catch(() => undefined);
  if (entries === undefined) return;
  for await (const entry of entries) {
    const full = path.join(folder, entry.name);
    if (!entry.isDirectory()) yield full;
    else if ((await readdir(full).catch(() => [])).length === 0) yield full;
    else yield* leavesBelow(full);
  }
}

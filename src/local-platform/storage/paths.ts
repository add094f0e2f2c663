import { invalid } from '../api-error';

export const defaultFileSystem = 'default';

const isFileSystemName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/.test(name);

/** Returns the file system named by `node-nfs:NAME`; the default one for anything else (`node-local`, …). Pure. */
export function fileSystemOf(from: string): string {
  const name = /^node-nfs:(.+)$/.exec(from)?.[1];
  return name !== undefined && isFileSystemName(name) ? name : defaultFileSystem;
}

/** Throws 400 unless `name` can be the name of a file system. */
export function checkFileSystem(name: string): void {
  if (!isFileSystemName(name)) throw invalid(`${JSON.stringify(name)} is not the name of a file system`);
}

/** Returns the parts of a path below the root. Throws 400 for a path that could lead out of it. Pure. */
export function partsOf(at: string): string[] {
  const parts = at.split('/').filter((part) => part !== '' && part !== '.');
  const bad = parts.find((part) => part === '..' || part.includes('\0') || part.includes('\\'));
  if (bad !== undefined) throw invalid(`${JSON.stringify(at)} is not a path below the file system`);
  return parts;
}

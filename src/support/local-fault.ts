/** File-system errors that do not go away by themselves during a run, in words. */
const faults: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a file is where a folder should be',
  EISDIR: 'a folder is where a file should be',
  EFBIG: 'the file is larger than the file system takes',
  ENAMETOOLONG: 'the path is too long',
};

/**
 * The same, of the making of a folder. A missing file may have been removed a moment ago; a folder that can't be made, as below /proc,
 * never can.
 */
const ofMkdir: Readonly<Record<string, string>> = {
  ENOENT: 'no folder can be made there',
  EEXIST: 'a file is where a folder should be',
};

export interface LocalFault {
  /** What could not be written; `undefined` if the error does not say. */
  readonly path: string | undefined;
  readonly reason: string;
}

/** Returns what an error says about files on this machine; `undefined` if it is about something else. Pure. */
export function localFault(error: unknown): LocalFault | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  const words = (syscall === 'mkdir' ? ofMkdir[code ?? ''] : undefined) ?? faults[code ?? ''];
  return words === undefined ? undefined : { path, reason: `${words} (${code})` };
}

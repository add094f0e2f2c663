import { homedir } from 'node:os';
import path from 'node:path';

/** `~` and `~/…` as a shell takes them; everything else, also `~other`, as it is. */
export const withoutTilde = (folder: string): string =>
  folder === '~' || folder.startsWith('~/') ? path.join(homedir(), folder.slice(1)) : folder;

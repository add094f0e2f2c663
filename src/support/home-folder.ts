import { homedir } from 'node:os';
import path from 'node:path';

/** Replaces a leading `~` by the user's home folder, as a shell does; everything else, also `~other`, stays as it is. */
export const expandTilde = (folder: string): string =>
  folder === '~' || folder.startsWith('~/') ? path.join(homedir(), folder.slice(1)) : folder;

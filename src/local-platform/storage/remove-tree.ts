import { execa } from 'execa';
import { rm } from 'node:fs/promises';

/**
 * Removes a file or folder, even one nested beyond the maximum path length, which a process can create with `chdir`.
 */
export async function removeTree(target: string): Promise<void> {
  try {
    await rm(target, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw error;
    await execa('rm', ['-rf', '--', target]);
  }
}

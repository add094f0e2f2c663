import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { longestText, MalformedResults } from './parse';
import type { Scores } from './scores';
import { parseOffThread } from './parse-off-thread';

/** The scores in a task's folder, and the file they are from. `undefined`: there is none. Rejects with `MalformedResults`. */
export async function readScores(folder: string): Promise<({ readonly file: string } & Scores) | undefined> {
  const file = path.join(folder, 'results.yml');
  try {
    const { size } = await stat(file);
    if (size > longestText)
      throw new MalformedResults(`it has ${size} bytes, and no results.yml has more than ${longestText}`);
    return { file, ...(await parseOffThread(await readFile(file, 'utf8'))) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

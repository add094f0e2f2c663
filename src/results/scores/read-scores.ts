import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { maxTextBytes, MalformedResults } from './parse';
import type { Scores } from './scores';
import { parseOffThread } from './parse-off-thread';

/** Returns the scores in a task's folder, and their file; `undefined` if there is no file. Rejects with `MalformedResults`. */
export async function readScores(folder: string): Promise<({ readonly file: string } & Scores) | undefined> {
  const file = path.join(folder, 'results.yml');
  try {
    const { size } = await stat(file);
    if (size > maxTextBytes)
      throw new MalformedResults(`it has ${size} bytes, which is above the limit of ${maxTextBytes}`);
    return { file, ...(await parseOffThread(await readFile(file, 'utf8'))) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

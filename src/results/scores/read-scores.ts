import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { maxTextBytes, MalformedResults } from './parse';
import type { Scores } from './scores';
import { parseOffThread } from './parse-off-thread';

/** The scores in a task's folder, and the file that they are from. */
export interface ReadScores extends Scores {
  readonly file: string;
  /** SHA-256 of the file, in hexadecimal digits. */
  readonly digest: string;
}

/** Returns the scores in a task's folder; `undefined` if there is no file. Rejects with `MalformedResults`. */
export async function readScores(folder: string): Promise<ReadScores | undefined> {
  const file = path.join(folder, 'results.yml');
  try {
    const { size } = await stat(file);
    if (size > maxTextBytes)
      throw new MalformedResults(`it has ${size} bytes, which is above the limit of ${maxTextBytes}`);
    const bytes = await readFile(file);
    const digest = createHash('sha256').update(bytes).digest('hex');
    return { file, digest, ...(await parseOffThread(bytes.toString('utf8'))) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Metrics } from '../contract/state';
import { longestText, MalformedResults, metricsWithErrors, parseResults } from './parse';

/** The scores in a task's folder, and the file they are from. `undefined`: there is none. Rejects with `MalformedResults`. */
export async function readScores(folder: string): Promise<{ file: string; metrics: Metrics } | undefined> {
  const file = path.join(folder, 'results.yml');
  try {
    const { size } = await stat(file);
    if (size > longestText)
      throw new MalformedResults(`it has ${size} bytes, and no results.yml has more than ${longestText}`);
    return { file, metrics: metricsWithErrors(parseResults(await readFile(file, 'utf8'))) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

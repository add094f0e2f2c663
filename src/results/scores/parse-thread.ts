import { parentPort, workerData } from 'node:worker_threads';
import { MalformedResults, parseResults } from './parse';
import type { Scores } from './scores';

/** The thread's message to its parent. */
export type ThreadAnswer =
  { readonly kind: 'scores'; readonly scores: Scores } | { readonly kind: 'malformed'; readonly message: string };

/** Body of the thread that `parse-off-thread.ts` starts: parses the text that it is given. */
function answer(text: string): ThreadAnswer {
  try {
    return { kind: 'scores', scores: parseResults(text) };
  } catch (error) {
    if (error instanceof MalformedResults) return { kind: 'malformed', message: error.message };
    throw error;
  }
}

parentPort?.postMessage(answer(workerData as string));

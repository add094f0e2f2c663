import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { MalformedResults, parseResults } from './parse';
import type { Scores } from './scores';
import type { ThreadAnswer } from './parse-thread';

/** Characters that are parsed on this thread, within a fraction of a second; longer texts would block all other work. */
const maxOnThread = 256 * 1024;
/** Time limit for a longer text, milliseconds. */
const timeoutMs = 180_000;
/** Memory limit, MiB: the parser needs about 70 times the size of the text. */
const memoryMib = 3_072;

/** Does what `parseResults` does, in a thread of its own if the text is long. Rejects with `MalformedResults`. */
export async function parseOffThread(text: string): Promise<Scores> {
  if (text.length <= maxOnThread) return parseResults(text);
  const answer = await inThread(text);
  if (answer.kind === 'malformed') throw new MalformedResults(answer.message);
  return answer.scores;
}

function inThread(text: string): Promise<ThreadAnswer> {
  const worker = new Worker(threadCode(), {
    eval: true,
    workerData: text,
    resourceLimits: { maxOldGenerationSizeMb: memoryMib },
  });
  return new Promise<ThreadAnswer>((resolve, reject) => {
    const tooLong = setTimeout(() => {
      reject(new MalformedResults(`reading it took more than ${timeoutMs / 1000} s`));
    }, timeoutMs);
    worker.once('message', resolve);
    worker.once('error', (error: NodeJS.ErrnoException) => {
      const isTooLarge = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      reject(isTooLarge ? new MalformedResults(`reading it takes more than ${memoryMib} MiB of memory`) : error);
    });
    worker.once('exit', (code) => {
      reject(new Error(`the thread that reads results ended with code ${code}`));
    });
    worker.once('exit', () => {
      clearTimeout(tooLong);
    });
  }).finally(() => worker.terminate());
}

/** When run from TypeScript sources (in tests), the thread needs the same loader hook as the main program. */
function threadCode(): string {
  const isSource = path.extname(__filename) === '.ts';
  const load = (file: string): string => `require(${JSON.stringify(path.join(__dirname, file))});`;
  return `${isSource ? load('../../../scripts/typescript.cjs') : ''}${load(`parse-thread${isSource ? '.ts' : '.js'}`)}`;
}

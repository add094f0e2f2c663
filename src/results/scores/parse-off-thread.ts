import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { MalformedResults, parseResults } from './parse';
import type { Scores } from './scores';
import type { ThreadAnswer } from './parse-thread';

/** Characters that are parsed at once, which takes a fraction of a second; more of them would hold up all other work. */
const parsedAtOnce = 256 * 1024;
/** Milliseconds that a longer text may take. */
const longestMs = 180_000;
/** MiB of memory for it: the parser needs some 70 times the text. */
const memoryMib = 3_072;

/** As `parseResults`, without holding up this thread when the text is long. Rejects with `MalformedResults`. */
export async function parseOffThread(text: string): Promise<Scores> {
  if (text.length <= parsedAtOnce) return parseResults(text);
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
      reject(new MalformedResults(`reading it took more than ${longestMs / 1000} s`));
    }, longestMs);
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

/** From sources (tests), the thread needs the same hook as any program that runs them. */
function threadCode(): string {
  const isSource = path.extname(__filename) === '.ts';
  const load = (file: string): string => `require(${JSON.stringify(path.join(__dirname, file))});`;
  return `${isSource ? load('../../../scripts/typescript.cjs') : ''}${load(`parse-thread${isSource ? '.ts' : '.js'}`)}`;
}

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { ExecaError } from 'execa';
import { provisionOnce } from '../provision/once';
import { run, type Provisioning } from '../provision/python';
import { digestOf } from './data';
import { harnessFile, type Harness } from './environment';

/** Exit status of gguf_tokenizer.py for a vocabulary that it does not know. */
const UNSUPPORTED = 3;

/** The folder with the tokenizer of GGUF weights, or `undefined` when its kind of vocabulary is not covered. */
export async function provisionTokenizer(
  options: Provisioning & { harness: Harness; weights: string },
): Promise<string | undefined> {
  const { home, harness, weights, report, signal } = options;
  const script = harnessFile('gguf_tokenizer.py');
  const { size, mtimeMs } = await stat(weights);
  const key = [weights, size, mtimeMs, await digestOf(script)].join(' ');
  try {
    return await provisionOnce({
      folder: path.join(home.runtimes, 'tokenizers', createHash('sha256').update(key).digest('hex').slice(0, 16)),
      key,
      label: 'tokenizer',
      report,
      signal,
      async produce(draft, say) {
        say(`reading it from ${path.basename(weights)}`);
        await run({ what: 'Reading the tokenizer', file: harness.python, args: [script, weights, draft], signal });
      },
    });
  } catch (error) {
    if (error instanceof Error && error.cause instanceof ExecaError && error.cause.exitCode === UNSUPPORTED)
      return undefined;
    throw error;
  }
}

import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { provisionOnce } from '../../provision/once';
import { CommandFailed, run, type Provisioning } from '../../provision/python';
import { digestOf } from './data';
import { harnessFile, type Harness } from './provision-harness';

/** Exit status of gguf_tokenizer.py for an unsupported vocabulary. */
const UNSUPPORTED = 3;

/** A tokenizer made from GGUF weights: a folder that transformers loads, or the reason why none can be made. */
export type Tokenizer =
  { readonly kind: 'folder'; readonly folder: string } | { readonly kind: 'none'; readonly reason: string };

/** Stored instead of a tokenizer if none can be made, with the reason, so that the weights are not read again. */
const refusalFile = 'no-tokenizer.txt';

/**
 * Makes the tokenizer of GGUF weights. The weights are read once per machine: that their vocabulary is not supported is
 * stored too.
 */
export async function provisionTokenizer(
  options: Provisioning & { harness: Harness; weights: string },
): Promise<Tokenizer> {
  const { home, harness, weights, report, signal } = options;
  const script = harnessFile('gguf_tokenizer.py');
  const { size, mtimeMs } = await stat(weights);
  const key = [weights, size, mtimeMs, await digestOf(script)].join(' ');
  const folder = await provisionOnce({
    folder: path.join(home.runtimes, 'tokenizers', createHash('sha256').update(key).digest('hex').slice(0, 16)),
    key,
    label: 'tokenizer',
    report,
    signal,
    async produce(draft, progress) {
      progress(`reading it from ${path.basename(weights)}`);
      const reading = { what: 'Reading the tokenizer', file: harness.python, args: [script, weights, draft], signal };
      await run(reading).catch(async (error: unknown) => {
        const refusal = refusalOf(error);
        if (refusal === undefined) throw error;
        await mkdir(draft, { recursive: true });
        await writeFile(path.join(draft, refusalFile), refusal);
      });
    },
  });
  const reason = await readFile(path.join(folder, refusalFile), 'utf8').catch(() => undefined);
  return reason === undefined ? { kind: 'folder', folder } : { kind: 'none', reason };
}

/** Returns the script's message about an unsupported vocabulary; `undefined` if it failed for another reason. */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof CommandFailed) || error.ended.exitCode !== UNSUPPORTED) return undefined;
  return error.ended.stderr || 'its kind of vocabulary is not supported';
}

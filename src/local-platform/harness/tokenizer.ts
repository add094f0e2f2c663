import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ExecaError } from 'execa';
import { provisionOnce } from '../../provision/once';
import { run, type Provisioning } from '../../provision/python';
import { digestOf } from './data';
import { harnessFile, type Harness } from './provision-harness';

/** Exit status of gguf_tokenizer.py for a vocabulary that it does not know. */
const UNSUPPORTED = 3;

/** Made of GGUF weights: a folder that transformers loads, or why there can be none. */
export type Tokenizer =
  { readonly kind: 'folder'; readonly folder: string } | { readonly kind: 'none'; readonly reason: string };

/** In place of a tokenizer: why none can be made of the weights, so that nobody reads them for it again. */
const refusalFile = 'no-tokenizer.txt';

/**
 * The tokenizer of GGUF weights. They are read once on this machine, whoever asks and whatever comes of it: a kind of vocabulary
 * that is not covered is remembered too.
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
    async produce(draft, say) {
      say(`reading it from ${path.basename(weights)}`);
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

/** What the script says of a vocabulary that it does not know; `undefined`: it failed otherwise. */
function refusalOf(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof ExecaError) || cause.exitCode !== UNSUPPORTED) return undefined;
  const said: unknown = cause.stderr;
  return typeof said === 'string' && said.trim() !== '' ? said.trim() : 'its kind of vocabulary is not covered';
}

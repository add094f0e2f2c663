import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { provisionHarness } from '../../src/local-platform/harness/provision-harness';
import { provisionTokenizer } from '../../src/local-platform/harness/tokenizer';
import { homePaths } from '../../src/home/paths';
import { freshFolder, testCache } from '../support/folders';

const home = homePaths({ EVALSAGA_HOME: testCache });

test('weights with an unsupported vocabulary are read once, and the reason is cached', async () => {
  const scratch = await freshFolder('no-tokenizer');
  const file = path.join(scratch.path, 'other.gguf');
  await writeFile(file, ggufOf('tokenizer.ggml.model', 'llama'));
  const own = homePaths({ EVALSAGA_HOME: path.join(scratch.path, 'home') });
  const harness = await provisionHarness({ home });
  const said: string[] = [];
  const ask = () => provisionTokenizer({ home: own, harness, weights: file, report: (line) => void said.push(line) });
  const [first, beside] = await Promise.all([ask(), ask()]);
  expect(first).toEqual({ kind: 'none', reason: expect.stringContaining("vocabulary 'llama'") });
  expect([beside, await ask()]).toEqual([first, first]);
  expect(said.filter((line) => line.includes('reading it'))).toHaveLength(1);
  await scratch.dispose();
}, 300_000);

/** A GGUF file (version 3) without tensors, whose only metadata is one string. */
function ggufOf(key: string, value: string): Buffer {
  const number = (of: number, bytes: 4 | 8): Buffer => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeUIntLE(of, 0, 4);
    return buffer;
  };
  const text = (of: string): Buffer => Buffer.concat([number(of.length, 8), Buffer.from(of)]);
  const typeText = 8;
  const header = [Buffer.from('GGUF'), number(3, 4), number(0, 8), number(1, 8)];
  return Buffer.concat([...header, text(key), number(typeText, 4), text(value)]);
}

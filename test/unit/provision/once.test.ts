import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { provisionOnce } from '../../../src/provision/once';
import { freshFolder } from '../../support/folders';

let root: string;
let dispose: () => Promise<void>;
beforeEach(async () => ({ path: root, dispose } = await freshFolder('once')));
afterEach(() => dispose());

const label = 'thing';
const folderOf = (): string => path.join(root, 'made', 'thing');

/** A promise and the function that resolves it. */
function gateway(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

/** Produces a file with the given text, and counts how often. */
function producer(text: string) {
  const made: string[] = [];
  return {
    made,
    produce: async (draft: string) => {
      made.push(draft);
      await writeFile(path.join(draft, 'content'), text);
    },
  };
}

test('a folder is created once, and again for another key', async () => {
  const [first, second] = [producer('one'), producer('two')];
  const folder = folderOf();
  expect(await provisionOnce({ folder, key: '1', label, produce: first.produce })).toBe(folder);
  await provisionOnce({ folder, key: '1', label, produce: first.produce });
  expect(first.made).toHaveLength(1);
  await provisionOnce({ folder, key: '2', label, produce: second.produce });
  expect(await readFile(path.join(folder, 'content'), 'utf8')).toBe('two');
  expect(await readdir(path.dirname(folder))).toEqual(['thing']);
});

test('concurrent callers get the same result', async () => {
  const { made, produce } = producer('x');
  const lines: string[] = [];
  const task = { folder: folderOf(), key: '1', label, produce, report: (line: string) => void lines.push(line) };
  const results = await Promise.all(Array.from({ length: 5 }, () => provisionOnce(task)));
  expect(new Set(results)).toEqual(new Set([folderOf()]));
  expect(made).toHaveLength(1);
  expect(lines).toContain('thing: waiting for another process that is setting it up');
});

test('a failure leaves nothing, and the next call starts over', async () => {
  const folder = folderOf();
  const produce = async (draft: string): Promise<void> => {
    await writeFile(path.join(draft, 'half'), '');
    throw new Error('cut off');
  };
  await expect(provisionOnce({ folder, key: '1', label, produce })).rejects.toThrow('cut off');
  expect(await readdir(path.dirname(folder))).toEqual([]);
  await provisionOnce({ folder, key: '1', label, produce: producer('x').produce });
  await expect(access(path.join(folder, 'half'))).rejects.toThrow();
});

test('waiting ends when the signal aborts', async () => {
  const gate = new AbortController();
  const holding = gateway();
  const release = gateway();
  const task = { folder: folderOf(), key: '1', label };
  const first = provisionOnce({
    ...task,
    produce: async () => {
      holding.resolve();
      await release.promise;
    },
  });
  await holding.promise;
  const second = provisionOnce({
    ...task,
    produce: () => Promise.resolve(),
    signal: gate.signal,
    report: () => gate.abort(),
  });
  await expect(second).rejects.toThrow();
  release.resolve();
  await first;
});

test('what a killed process left behind is removed by the next', async () => {
  const folder = folderOf();
  const script = `
    const { provisionOnce } = require(${JSON.stringify(path.resolve('dist/provision/once.js'))});
    provisionOnce({ folder: ${JSON.stringify(folder)}, key: '1', label: 'thing', produce: (draft) => {
      require('fs').writeFileSync(draft + '/half', ''); console.log('begun'); return new Promise(() => setInterval(() => {}, 1000));
    } });`;
  const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await provisionOnce({ folder, key: '1', label, produce: producer('whole').produce });
  expect(await readdir(folder)).toEqual(expect.arrayContaining(['content']));
  await expect(access(path.join(folder, 'half'))).rejects.toThrow();
  expect(await readdir(path.dirname(folder))).toEqual(['thing']);
});

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { boundedText, maxMessage } from '../../src/activities/wording';
import type { LeptonClient, LeptonStorage } from '../../src/lepton/types';
import { fetchTaskResults } from '../../src/results/transfer/fetch';
import { saveLog } from '../../src/results/logs/save-log';
import { maxTextBytes, parseResults } from '../../src/results/scores/parse';
import { readRemoteTree } from '../../src/results/transfer/remote-tree';
import { cell, plainWords } from '../../src/contract/details';
import { freshFolder } from '../support/folders';

/** Each limit at its edge: content of exactly the limit is kept whole, content one larger is not. */

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => (folder = await freshFolder('bounds')));
afterAll(() => folder.dispose());

test('a message in the history', () => {
  const fits = 'x'.repeat(maxMessage);
  expect(boundedText(fits)).toBe(fits);
  expect(boundedText(`${fits}y`)).toMatch(/^x+ \[… 1 characters …\] x+y$/);
});

test('a cell and a summary in the Web UI', () => {
  expect(cell('x'.repeat(400))).toHaveLength(400);
  expect(cell('x'.repeat(401))).toHaveLength(400);
  expect(plainWords('李'.repeat(130))).toHaveLength(130);
  expect(plainWords('李'.repeat(131))).toHaveLength(130);
  // Markdown doesn't treat text that begins with a space as bold.
  expect(plainWords('<b> model |')).toBe('b  model');
});

test.each([
  [2_000, 0],
  [2_001, 1],
])('a log of %i bytes with a limit of 2,000', async (bytes, beyond) => {
  const file = path.join(folder.path, `${bytes}.log`);
  // eslint-disable-next-line @typescript-eslint/require-await -- a source is asynchronous by nature
  const source = async function* () {
    yield Buffer.alloc(bytes, 'x');
  };
  const saved = await saveLog({ source: source(), file, maxBytes: 2_000 });
  expect(saved).toEqual({ bytes, leftOut: beyond });
  const text = await readFile(file, 'utf8');
  expect(text.includes('left out here')).toBe(beyond > 0);
  expect(text.replace(/\n\[.*\]\n/, '')).toHaveLength(bytes - beyond);
});

/** Reads a tree in which `names` returns the entries of each folder; names of folders end in `/`. */
const treeOf = (names: (at: string) => readonly string[]) =>
  readRemoteTree(
    {
      list: (_fileSystem: string, at: string) =>
        Promise.resolve(
          names(at).map((name) => ({
            type: name.endsWith('/') ? 'dir' : 'file',
            name: name.replace('/', ''),
            path: '',
          })),
        ),
    } as unknown as LeptonStorage,
    { fileSystem: 'fs', folder: '/out', options: {} },
  );

const numbered = (count: number, end = ''): string[] => Array.from({ length: count }, (_, at) => `n${at}${end}`);

test.each([
  ['50,000 files', 50_000, (at: string) => (at === '/out' ? numbered(50_000) : [])],
  ['10,000 folders, including itself', 0, (at: string) => (at === '/out' ? numbered(9_999, '/') : [])],
  ['32 nested folders', 1, (at: string) => (at.split('/').length < 34 ? ['d/'] : ['deep'])],
])('a results folder with %s is read completely', async (_what, files, names) => {
  expect((await treeOf(names))?.files).toHaveLength(files);
});

test.each([
  ['more than 50000 files', (at: string) => (at === '/out' ? numbered(50_001) : [])],
  ['more than 10000 folders', (at: string) => (at === '/out' ? numbered(10_000, '/') : [])],
  ['nested more than 32 deep', (at: string) => (at.split('/').length < 35 ? ['d/'] : ['deep'])],
])('of a results folder (%s), what exceeds the limit is left and reported', async (said, names) => {
  expect((await treeOf(names))?.left).toMatchObject([{ reason: said }]);
});

test.each([
  [1_000, true],
  [999, false],
])('files of 1,000 bytes in total with a limit of %i', async (maxBytes, fits) => {
  const sizes: Record<string, number> = { a: 600, b: 400 };
  const sizeOf = (at: string): number => sizes[path.posix.basename(at)] ?? 0;
  const storage = {
    list: () => Promise.resolve(Object.keys(sizes).map((name) => ({ type: 'file', name, path: '' }))),
    size: (_fileSystem: string, at: string) => Promise.resolve(sizeOf(at)),
    // eslint-disable-next-line @typescript-eslint/require-await -- as above
    read: async function* (_fileSystem: string, at: string) {
      yield Buffer.alloc(sizeOf(at));
    },
  } as unknown as LeptonStorage;
  const client: Pick<LeptonClient, 'storage'> = { storage };
  const target = path.join(folder.path, `home-${maxBytes}`);
  const coming = fetchTaskResults({ client, fileSystem: 'fs', path: '/out', target, secrets: [], maxBytes });
  await (fits
    ? expect(coming).resolves.toMatchObject({ files: 2, bytes: 1_000, incomplete: null })
    : expect(coming).resolves.toMatchObject({
        files: 1,
        incomplete: expect.stringMatching(/: [ab] \(beyond the limit of 999 bytes\)$/),
      }));
});

test('an overlong results.yml is refused before it is parsed', () => {
  expect(() => parseResults('#'.repeat(maxTextBytes + 1))).toThrow(`longer than ${maxTextBytes} characters`);
});

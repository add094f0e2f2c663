import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { homePaths, type HomePaths } from '../../../src/home/paths';
import { goneResources, noteGone } from '../../../src/home/removed-resources';
import { newHolder } from '../../../src/support/lock-holder';
import { freshFolder } from '../../support/folders';

const invocation = '3f2a90c1d4e5f607';
let home: HomePaths;
let dispose: () => Promise<void>;
beforeEach(async () => {
  const folder = await freshFolder('gone');
  dispose = folder.dispose;
  home = homePaths({ EVALSAGA_HOME: folder.path });
  await mkdir(path.join(home.runs, invocation), { recursive: true });
});
afterEach(() => dispose());

const count = 10;
const names = (by: string): string[] => Array.from({ length: count }, (_, index) => `${by}-${index}`);
const noted = async (): Promise<string[]> => (await goneResources(home, invocation)).map(({ name }) => name).sort();

/** Another process, which notes its removals at the same moment. */
const noteElsewhere = (by: string): Promise<unknown> =>
  promisify(execFile)(process.execPath, [
    '-e',
    `const { noteGone } = require(${JSON.stringify(path.resolve('dist/home/removed-resources.js'))});
     const note = (name) => noteGone({ runs: ${JSON.stringify(home.runs)} }, '${invocation}', [{ kind: 'job', name }]);
     Promise.all(${JSON.stringify(names(by))}.map(note));`,
  ]);

test('removals that callers of one process note at the same moment are all kept, and nothing else is left', async () => {
  await Promise.all(names('here').map((name) => noteGone(home, invocation, [{ kind: 'endpoint', name }])));
  expect(await noted()).toEqual(names('here').sort());
  expect(await readdir(path.join(home.runs, invocation))).toEqual(['gone.json']);
});

test('so are those of two processes, such as a cleanup and a sweep', async () => {
  await Promise.all([noteElsewhere('cleanup'), noteElsewhere('sweep')]);
  expect(await noted()).toEqual([...names('cleanup'), ...names('sweep')].sort());
});

test('a lock that a lost machine left is waited for a while only: what was removed is noted', async () => {
  const holder = { ...newHolder(), host: 'gone', machine: 'another', boot: 'another' };
  await writeFile(path.join(home.runs, invocation, 'gone.json.lock'), JSON.stringify(holder));
  await noteGone(home, invocation, [{ kind: 'job', name: 'j' }]);
  expect(await noted()).toEqual(['j']);
}, 30_000);

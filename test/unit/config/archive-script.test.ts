/** The real script of a job, run by bash: what it packs, and that nothing else of it changes where it can't pack. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { jobCommand } from '../../../src/config/plan/job-script';
import type { JobScript } from '../../../src/config/plan/job-script';
import { resultsArchive } from '../../../src/contract/results-archive';
import { packingIn, packResults } from '../../../src/local-platform/runtimes/simulated/archive';
import { scriptIn } from '../../../src/config/plan/read-script';
import { fetchTaskResults } from '../../../src/results/transfer/fetch';
import { startStorage } from '../../support/storage-server';
import { plainScript } from '../../support/job-scripts';

let folder: string;
const inside = (...parts: string[]) => path.join(folder, ...parts);
const archive = () => inside('out', resultsArchive);

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-pack-'));
  for (const name of ['bin', 'tmp']) mkdirSync(inside(name));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const usual: JobScript = {
  ...plainScript,
  packs: { skip: ['cache/', "lm_cache_rank*'s.db"] },
};

/** Runs the script with an evaluator that does `work` in its results folder. */
function run(work: string, change: Partial<JobScript> = {}, PATH = `${inside('bin')}:${process.env['PATH'] ?? ''}`) {
  writeFileSync(inside('bin', 'nemo-evaluator'), `#!/bin/bash\ncd "$5"\n${work}\n`);
  chmodSync(inside('bin', 'nemo-evaluator'), 0o755);
  const [command, ...args] = jobCommand({ ...usual, ...change });
  const env = {
    PATH,
    HOME: folder,
    TMPDIR: inside('tmp'),
    EVALSAGA_OUTPUT_DIR: inside('out'),
    EVALSAGA_MODEL_URL: 'http://h',
  };
  const { status, stdout, stderr } = spawnSync(command, args, { env, cwd: folder, encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

const results = [
  'printf "results: {}" > results.yml',
  'mkdir -p "samples/deep er" cache empty',
  'head -c 50000 /dev/zero > "samples/deep er/zeros.jsonl"',
  "printf odd > $'two\\nlines\\\\ \\303\\244.txt'",
  'printf c > cache/c; printf d > "lm_cache_rank0\'s.db"; printf e > samples/cache',
  'ln -s results.yml link; : > nothing',
].join('\n');

const packedNames = ['nothing', 'results.yml', 'samples/cache', 'samples/deep er/zeros.jsonl', 'two\nlines\\ ä.txt'];

/** What the archive's list names, and what of it arrives as it was written. */
async function unpacked() {
  const storage = await startStorage();
  try {
    for (const name of [resultsArchive, ...packedNames]) storage.files.set(name, readFileSync(inside('out', name)));
    const where = { client: storage.client, fileSystem: 'fs', path: '/out', target: inside('home'), secrets: [] };
    await fetchTaskResults({ ...where, maxBytes: 1e9, isSettled: true, isPacked: true });
    const { files } = JSON.parse(readFileSync(inside('home', 'manifest.json'), 'utf8')) as {
      files: { path: string }[];
    };
    return { fetched: storage.fetched(), files };
  } finally {
    await storage.server.close();
  }
}

test('a job that succeeds packs what is a result, and the reader takes all of it from there; a simulated one does the same', async () => {
  const { status, said } = run(results);
  expect([status, said, readdirSync(inside('tmp'))]).toEqual([0, '', []]);
  const real = await unpacked();
  expect(real.fetched).toEqual([resultsArchive]);
  expect(real.files).toHaveLength(packedNames.length);
  expect(readdirSync(inside('out'))).not.toContain(`${resultsArchive}.part`);

  const packing = packingIn(scriptIn(jobCommand(usual)) ?? '');
  expect(packing).toMatchObject({ name: resultsArchive, skip: usual.packs?.skip });
  rmSync(archive());
  rmSync(inside('home'), { recursive: true });
  if (packing !== undefined) await packResults(inside('out'), packing);
  expect(await unpacked()).toEqual(real);
});

const noise = 'for name in n m; do head -c 50000 /dev/urandom > $name; done';

test.each<readonly [string, string, Partial<JobScript>, number]>([
  ['the harness fails', 'exit 3', {}, 3],
  ['it says that it was interrupted', 'touch .nemo_evaluator_interrupted', {}, 143],
  ['the disk is full', noise, { preCmd: 'ulimit -f 64\n' }, 0],
  ["the archive can't be written", `mkdir ${resultsArchive}.part`, {}, 0],
])('no archive, the same files and the same code, when %s', (_why, work, change, code) => {
  mkdirSync(inside('out'));
  writeFileSync(archive(), 'of an earlier job of this task');
  const { status, said } = run(`${results}\n${work}`, change);
  expect([status, said, existsSync(archive())]).toEqual([code, '', false]);
  expect(readFileSync(inside('out', 'results.yml'), 'utf8')).toBe('results: {}');
});

test('no archive, and no complaint, in an image without Python', () => {
  mkdirSync(inside('tools'));
  const tools = ['bash', 'base64', 'gzip', 'mktemp', 'mkdir', 'cat', 'rm', 'timeout', 'ln', 'head'];
  for (const name of tools)
    symlinkSync(spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim(), inside('tools', name));
  const { status, said } = run(results, {}, `${inside('bin')}:${inside('tools')}`);
  expect([status, said, existsSync(archive())]).toEqual([0, '', false]);
  expect(existsSync(inside('out', 'results.yml'))).toBe(true);
});

test('what something still has open is left to be fetched by itself', async () => {
  const begin = `( exec 9>>'samples/cache'; touch ${inside('open')}; exec sleep 60 ) >/dev/null 2>&1 & echo $! > ${inside('pid')}`;
  const { status } = run(`${results}\n${begin}\nuntil [ -e ${inside('open')} ]; do sleep 0.01; done`);
  process.kill(Number(readFileSync(inside('pid'), 'utf8')));
  expect(status).toBe(0);
  expect((await unpacked()).fetched).toEqual([resultsArchive, 'samples/cache']);
});

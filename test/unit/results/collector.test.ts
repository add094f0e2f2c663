import { link, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import type { StoragePlan } from '../../../src/contract/plan';
import { collectorJob, collectorJobName, storageRemovalJob } from '../../../src/results/transfer/collector';
import { IncompleteCollection, receiveCollected, type ReceiveRequest } from '../../../src/results/transfer/collected';
import { parseCollectorLine } from '../../../src/results/transfer/collector-protocol';
import { freshFolder, nestDeeply } from '../../support/folders';

/** Runs the job's real command as a process over a real folder; its output is what the log would hold. */

const invocation = '0123456789abcdef';
const storage: StoragePlan = {
  fileSystem: 'fs1',
  path: `/shared/runs/${invocation}`,
  mount: { path: `/shared/runs/${invocation}`, from: 'node-nfs:fs1', mount_path: '/results' },
};

let folder: { path: string; dispose: () => Promise<void> };
let remote: string;
let target: string;

beforeEach(async () => {
  folder = await freshFolder('collector');
  remote = path.join(folder.path, 'runs', invocation, '0-arc');
  target = path.join(folder.path, 'home');
  await mkdir(remote, { recursive: true });
});
afterEach(() => folder.dispose());

const place = async (files: Record<string, string | Buffer>) => {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(remote, name)), { recursive: true });
    await writeFile(path.join(remote, name), content);
  }
};

/** Deterministic, incompressible bytes. */
function noise(length: number): Buffer {
  let state = 12_345;
  return Buffer.from(Array.from({ length }, () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) >> 16));
}

async function collect(options: { from?: number; maxBytes?: number; folder?: string } = {}): Promise<string> {
  const { container, envs } = collectorJob({
    image: 'img:1',
    nodeGroup: null,
    storage,
    folder: '0-arc',
    maxBytes: options.maxBytes ?? 10_000_000,
    from: options.from ?? 0,
  });
  return run(container.command, { ...literals(envs), EVALSAGA_COLLECT_FOLDER: options.folder ?? remote });
}

const literals = (envs: readonly object[]) =>
  Object.fromEntries((envs as { name: string; value: string }[]).map(({ name, value }) => [name, value]));

async function run(command: readonly string[] | undefined, env: Record<string, string>): Promise<string> {
  const [file = '', ...args] = command ?? [];
  const { stdout } = await execa(file, args, { env: { ...env, PATH: process.env['PATH'] }, extendEnv: false });
  return `${stdout}\n`;
}

/** Yields the log in pieces of odd sizes, as a network would. */
// eslint-disable-next-line @typescript-eslint/require-await
async function* arriving(log: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(log);
  for (let at = 0; at < bytes.length; at += 4_099) yield bytes.subarray(at, at + 4_099);
}

const receive = (log: string, more: Partial<ReceiveRequest> = {}) =>
  receiveCollected({
    source: arriving(log),
    fileSystem: 'fs1',
    path: '/0-arc',
    target,
    secrets: [],
    maxBytes: 10_000_000,
    ...more,
  });

const atHome = async () =>
  (await readdir(target, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(target, path.join(entry.parentPath, entry.name)))
    .sort();

test('transfers a folder through a log byte for byte, scores first, without caches and links', async () => {
  const content = {
    'results.yml': 'results: {}',
    'empty.json': '',
    'model/samples.jsonl': Buffer.from('{"doc": 1, "ünï": "😀"}\n'.repeat(20_000)),
    'model/weights.bin': noise(100_000),
    'odd\nname "\'$.txt': 'x',
  };
  await place({
    ...content,
    'cache/a': 'c',
    'lm_cache_rank0.db': 'c',
    'Cached_Predictions/p.json': '{}',
    'uv.lock': 'c',
    // Its files once more.
    '.evalsaga_results.zip': 'zip',
  });
  await symlink('/etc/passwd', path.join(remote, 'link'));
  const log = await collect();
  expect(Math.max(...log.split('\n').map((line) => line.length))).toBeLessThan(9_000);

  // As log systems show it: with times, carriage returns and other lines in between.
  const shown = log.replaceAll(/^/gm, '2025-11-25T00:00:00Z stdout F ').replaceAll('\n', '\r\n2025 some warning\n');
  const fetched = await receive(shown);
  expect(fetched).toMatchObject({ files: 7, incomplete: expect.stringContaining('link (link out of the folder)') });
  for (const [name, bytes] of Object.entries(content)) {
    const local = name.replace('\n', '%0A');
    expect(await readFile(path.join(target, local))).toEqual(Buffer.from(bytes));
  }
  const manifest = JSON.parse(await readFile(path.join(target, 'manifest.json'), 'utf8'));
  expect(manifest.files[0].path).toBe('results.yml');
  expect(manifest.skipped).toEqual([
    { path: 'cache', reason: 'by execution.skip_results' },
    { path: 'lm_cache_rank0.db', reason: 'by execution.skip_results' },
  ]);
  expect(manifest.left).toEqual([{ path: 'link', reason: 'link out of the folder' }]);
  expect((await atHome()).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('leaves and names pipes, sockets, devices and loops; endless folders keep the whole folder in storage', async () => {
  await place({ 'results.yml': 'results: {}' });
  await execa('mkfifo', [path.join(remote, 'pipe')]);
  await symlink('.', path.join(remote, 'loop'));
  await link(path.join(remote, 'results.yml'), path.join(remote, 'hard.yml'));
  expect((await receive(await collect()))?.files).toBe(2);
  const manifest = JSON.parse(await readFile(path.join(target, 'manifest.json'), 'utf8'));
  expect(manifest.skipped).toEqual([
    { path: 'loop', reason: 'link' },
    { path: 'pipe', reason: 'not a file' },
  ]);
  await place({ [`${'d/'.repeat(33)}x`]: 'deep' });
  expect((await receive(await collect()))?.incomplete).toMatch(/stays in storage: [d/]+ \(nested more than 32 deep\)/);
});

test('a missing folder is no result; an empty one is empty', async () => {
  expect(await receive(await collect({ folder: path.join(folder.path, 'none') }))).toBeUndefined();
  expect(await receive(await collect())).toMatchObject({ files: 0, bytes: 0 });
});

test('a log that breaks off anywhere: complete files stay, and the next reading or job brings the others', async () => {
  await place({ 'results.yml': 'results: {}', 'b.bin': noise(50_000), 'c.bin': noise(30_000), 'd.txt': 'end' });
  const log = await collect();
  const lines = log.split('\n');
  for (const part of [0.02, 0.3, 0.6, 0.9]) {
    const cut = lines.slice(0, Math.floor(lines.length * part)).join('\n');
    await expect(receive(cut)).rejects.toThrow(IncompleteCollection);
  }
  const error = (await receive(lines.slice(0, -4).join('\n')).catch(
    (reason: unknown) => reason,
  )) as IncompleteCollection;
  expect(error.from).toBeGreaterThan(0);
  const rest = await collect({ from: error.from });
  expect(rest.length).toBeLessThan(log.length * 0.7);
  expect(await receive(rest)).toMatchObject({ files: 4 });
  expect(await readFile(path.join(target, 'c.bin'))).toEqual(noise(30_000));
});

test.each([
  ['lost', (lines: string[], at: number) => lines.filter((_, position) => position !== at)],
  ['damaged', (lines: string[], at: number) => lines.with(at, (lines[at] ?? '').slice(0, -9) + 'AAAAAAAA=')],
  ['swapped', (lines: string[], at: number) => lines.with(at, lines[at + 1] ?? '').with(at + 1, lines[at] ?? '')],
])('a piece that is %s costs its file, and only that', async (_, harm) => {
  await place({ 'a.bin': noise(60_000), 'b.txt': 'fine'.repeat(20_000) });
  const lines = (await collect()).split('\n');
  const third = lines.findIndex((line) => line.startsWith('@evalsaga1 piece 0 12288 '));
  const error = (await receive(harm(lines, third).join('\n')).catch(
    (reason: unknown) => reason,
  )) as IncompleteCollection;
  expect(error).toBeInstanceOf(IncompleteCollection);
  expect(error.message).toContain('1 of 2 files are fetched; a.bin did not arrive whole');
  expect(error.from).toBe(0);
  expect(await atHome()).toContain('b.txt');
  expect(await atHome()).not.toContain('a.bin');
});

test('ignores a piece that arrives twice', async () => {
  await place({ 'a.bin': noise(20_000) });
  const log = (await collect()).replace(/^@evalsaga1 piece .*$/gm, '$&\n$&');
  expect(await receive(log)).toMatchObject({ files: 1, bytes: 20_000 });
});

test('above the limit: scores first, then small files; the others are named', async () => {
  await place({ 'results.yml': 'results: {}', 'big.bin': noise(50_000), 'small.txt': 'small' });
  const log = await collect({ maxBytes: 1_000 });
  expect(log.length).toBeLessThan(2_000);
  const incomplete = expect.stringContaining('big.bin (beyond the limit of 1000 bytes)');
  expect(await receive(log, { maxBytes: 1_000 })).toMatchObject({ files: 2, incomplete });
  expect(await atHome()).toEqual(['manifest.json', 'results.yml', 'small.txt']);
  // A job that sends more than it was asked for is not trusted either.
  expect(await receive(await collect(), { maxBytes: 1_000 })).toMatchObject({ files: 2, incomplete });
  expect(await atHome()).toEqual(['manifest.json', 'results.yml', 'small.txt']);
});

test('leaves and names files and folders that the job may not read', async () => {
  await place({ 'results.yml': 'results: {}', 'mine/x': 'x', secret: 'x' });
  const log = (await collect()).replace(/^@evalsaga1 skipped .*\n/gm, '');
  expect(
    await receive(`@evalsaga1 skipped unreadable ${Buffer.from('theirs').toString('base64')}\n${log}`),
  ).toMatchObject({
    files: 3,
    incomplete: expect.stringContaining('theirs (unreadable)'),
  });
});

test('never writes outside the target, whatever the log says', async () => {
  const announce = (name: string) =>
    `@evalsaga1 file 0 1 ${'0'.repeat(64)} ${Buffer.from(name).toString('base64')}\n@evalsaga1 total 1 1\n`;
  for (const name of ['../x', '/etc/passwd', 'a/../../b', 'a//b']) {
    expect(await receive(announce(name))).toMatchObject({
      files: 0,
      incomplete: expect.stringContaining('(not a file name)'),
    });
    expect(await readdir(folder.path, { recursive: true })).not.toContain('x');
  }
  for (const line of [
    '@evalsaga1 file x',
    '@evalsaga1 piece 0 0 zz AAAA',
    '@evalsaga1 what',
    '@evalsaga1',
    'piece 1',
  ]) {
    expect(parseCollectorLine(line)).toBeUndefined();
  }
});

describe('removal', () => {
  const remove = (plan: StoragePlan, which: string | null) => {
    const { container, envs } = storageRemovalJob({ image: 'img:1', nodeGroup: null, storage: plan, folder: which });
    return run(container.command, { ...literals(envs), EVALSAGA_COLLECT_FOLDER: path.join(folder.path, 'runs') });
  };

  test("removes a task's or run's folder, accepts that it is gone, and never removes anything else", async () => {
    await place({ 'a/b.txt': 'x', '../1-hella/c.txt': 'y' });
    await mkdir(path.join(folder.path, 'runs', 'precious'));
    expect(await remove(storage, '0-arc')).toContain('@evalsaga1 removed');
    expect(await readdir(path.join(folder.path, 'runs', invocation))).toEqual(['1-hella']);
    await remove(storage, null);
    await remove(storage, null);
    expect(await readdir(path.join(folder.path, 'runs'))).toEqual(['precious']);
    await expect(remove({ ...storage, path: '/shared/runs/precious' }, null)).rejects.toThrow('refused');
    await expect(remove(storage, '../precious')).rejects.toThrow('refused');
    await symlink(path.join(folder.path, 'runs', 'precious'), path.join(folder.path, 'runs', invocation));
    await expect(remove(storage, null)).rejects.toThrow('is a link');
    expect(await readdir(path.join(folder.path, 'runs'))).toContain('precious');
  });

  test("removes a run's folder, unless it holds unexpected files: these are named, and everything stays", async () => {
    const { container, envs } = storageRemovalJob({
      image: 'img:1',
      nodeGroup: null,
      storage,
      folder: null,
      expected: ['0-arc'],
    });
    const removing = () =>
      run(container.command, { ...literals(envs), EVALSAGA_COLLECT_FOLDER: path.join(folder.path, 'runs') });
    await place({ 'a.txt': 'x', '../core.1234': 'y', '../1-late/results.yml': 'z' });
    // A mount inside the run's own leaves one.
    await mkdir(path.join(folder.path, 'runs', invocation, 'data', 'empty'), { recursive: true });
    const refusal = (await removing().catch((error: unknown) => error)) as { stdout: string; stderr: string };
    const [line = ''] = refusal.stdout.split('\n');
    expect(parseCollectorLine(line)).toEqual({ kind: 'holds', count: 2, names: ['1-late', 'core.1234'] });
    expect(refusal.stderr).toContain('which has not come home');
    const names = await readdir(path.join(folder.path, 'runs', invocation));
    expect(names.sort()).toEqual(['0-arc', '1-late', 'core.1234', 'data']);
    await rm(path.join(folder.path, 'runs', invocation, 'core.1234'));
    await rm(path.join(folder.path, 'runs', invocation, '1-late'), { recursive: true });
    expect(await removing()).toContain('@evalsaga1 removed');
    expect(await readdir(path.join(folder.path, 'runs'))).toEqual([]);
  });

  test('removes folders nested deeper than the longest path', async () => {
    await place({ 'a.txt': 'x' });
    await nestDeeply(remote);
    expect(await remove(storage, '0-arc')).toContain('@evalsaga1 removed');
    expect(await readdir(path.join(folder.path, 'runs', invocation))).toEqual([]);
  });

  test('mounts the folder above; collecting mounts the run read-only', () => {
    const removal = storageRemovalJob({ image: 'i', nodeGroup: 'ng', storage, folder: null });
    expect(removal).toMatchObject({ nodeGroup: 'ng', mounts: [{ path: '/shared/runs', from: 'node-nfs:fs1' }] });
    const { mounts, body } = collectorJob({
      image: 'i',
      nodeGroup: null,
      storage,
      folder: '0-arc',
      maxBytes: 1,
      from: 0,
    });
    expect(mounts).toMatchObject([{ path: storage.path, mount_options: { read_only: true } }]);
    expect(body).toMatchObject({ resource_shape: 'cpu.small', max_failure_retry: 0 });
    const name = collectorJobName('eval-012345-arc-0', 'collect', 1);
    expect(name).toMatch(/^collect-[0-9a-f]{16}-1$/);
    expect(name).not.toBe(collectorJobName('eval-012345-arc-1', 'collect', 1));
  });
});

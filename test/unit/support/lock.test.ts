import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { acquireLock, LockedElsewhere, tryLock, withLock, type Lock } from '../../../src/support/lock';
import { comparePlaces, newHolder, readHolder } from '../../../src/support/lock-holder';
import { freshFolder } from '../../support/folders';

let root: string;
let file: string;
let dispose: () => Promise<void>;
beforeEach(async () => {
  ({ path: root, dispose } = await freshFolder('lock'));
  file = path.join(root, 'thing.lock');
});
afterEach(() => dispose());

const lockModule = JSON.stringify(path.resolve('dist/support/lock.js'));

type Child = ChildProcessByStdio<Writable, Readable, null>;

const run = (script: string): Child => spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });

/** A process that has acquired the lock; it releases it when its stdin ends. */
async function startHolder(): Promise<Child> {
  const holder = run(`
    const { acquireLock } = require(${lockModule});
    acquireLock({ file: ${JSON.stringify(file)} }).then((lock) => {
      console.log('acquired');
      process.stdin.resume().once('end', () => lock.release());
    });`);
  await once(holder.stdout, 'data');
  return holder;
}

/** Leaves a file as a killed holder does. */
async function leaveStale(name: string): Promise<string> {
  const holder = { ...newHolder(), identity: 'of a process that has ended' };
  await writeFile(path.join(root, name), JSON.stringify(holder));
  return holder.token;
}

async function acquired(): Promise<Lock> {
  const attempt = await tryLock(file);
  if (attempt.kind === 'held') throw new Error(`held by ${attempt.holder.pid}`);
  return attempt.lock;
}

test('callers of one process take turns, and nothing is left behind', async () => {
  let inside = 0;
  const waited: number[] = [];
  const enter = (number: number) =>
    withLock({ file, onWait: () => waited.push(number) }, async () => {
      inside += 1;
      expect(inside).toBe(1);
      // Whoever is first holds the lock until both others have found it taken, however slowly they come.
      while (waited.length < 2) await sleep(5);
      inside -= 1;
    });
  await Promise.all([1, 2, 3].map(enter));
  expect(waited).toHaveLength(2);
  expect(await readdir(root)).toEqual([]);
});

test('folders are made with the rights that the system gives, unless others are asked for; anybody may read the lock', async () => {
  const before = process.umask(0o022);
  try {
    const shared = path.join(root, 'shared', 'results', 'thing.lock');
    await withLock({ file: shared }, async () => expect(await rightsOf(shared)).toBe('644'));
    expect(await rightsOf(path.dirname(shared))).toBe('755');
    expect(await rightsOf(path.join(root, 'shared'))).toBe('755');
    const own = path.join(root, 'own', 'runs', 'thing.lock');
    await withLock({ file: own, folderMode: 0o700 }, async () => expect(await rightsOf(own)).toBe('644'));
    expect(await rightsOf(path.dirname(own))).toBe('700');
    expect(await rightsOf(path.join(root, 'own'))).toBe('700');
  } finally {
    process.umask(before);
  }
});

const rightsOf = async (place: string): Promise<string> => ((await stat(place)).mode & 0o777).toString(8);

test('the lock is released when the work fails', async () => {
  await expect(withLock({ file }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await (await acquired()).release();
});

test('waiting ends with the reason of the signal', async () => {
  const lock = await acquired();
  const reason = new Error('interrupted');
  const controller = new AbortController();
  const waiting = acquireLock({ file, signal: controller.signal, onWait: () => controller.abort(reason) });
  await expect(waiting).rejects.toBe(reason);
  await lock.release();
});

test('the holder can leave a note for others', async () => {
  const lock = await acquired();
  await lock.note('http://127.0.0.1:1');
  expect(await tryLock(file)).toMatchObject({
    kind: 'held',
    holder: { pid: process.pid, note: 'http://127.0.0.1:1' },
  });
  await lock.release();
  expect(await readdir(root)).toEqual([]);
});

test('a lock is taken over as soon as its holder is killed', async () => {
  const holder = await startHolder();
  expect(await tryLock(file)).toMatchObject({ kind: 'held', holder: { pid: holder.pid } });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await (await acquired()).release();
  expect(await readdir(root)).toEqual([]);
});

test('a suspended holder keeps its lock, however old the file is', async () => {
  const holder = await startHolder();
  const exited = once(holder, 'exit');
  holder.kill('SIGSTOP');
  await utimes(file, new Date(0), new Date(0));
  await sleep(500);
  expect(await tryLock(file)).toMatchObject({ kind: 'held', holder: { pid: holder.pid } });
  holder.kill('SIGCONT');
  const waiting = acquireLock({ file });
  holder.stdin.end();
  await (await waiting).release();
  await exited;
});

test('a pid that now belongs to another process holds no lock', async () => {
  await leaveStale('thing.lock');
  await (await acquired()).release();
});

/** Processes that record each entry and exit; the even ones are killed while they hold the lock. */
async function race(count: number, { killEven }: { readonly killEven: boolean }): Promise<readonly string[]> {
  const log = path.join(root, 'log');
  const racers = Array.from({ length: count }, (_value, number) =>
    run(`
      const { appendFileSync } = require('fs');
      const { acquireLock } = require(${lockModule});
      const note = (what) => appendFileSync(${JSON.stringify(log)}, what + ' ${number}\\n');
      process.stdin.resume().once('end', async () => {
        const lock = await acquireLock({ file: ${JSON.stringify(file)} });
        note('enter');
        await new Promise((resolve) => setTimeout(resolve, 5));
        note('leave');
        if (${killEven && number % 2 === 0}) process.kill(process.pid, 'SIGKILL');
        await lock.release();
      });
      console.log('ready');`),
  );
  const ended = racers.map((racer) => once(racer, 'exit'));
  await Promise.all(racers.map((racer) => once(racer.stdout, 'data')));
  for (const racer of racers) racer.stdin.end();
  await Promise.all(ended);
  return readFileSync(log, 'utf8').trim().split('\n');
}

/** Expects that each process held the lock once, and no two at the same time. */
function expectTurns(lines: readonly string[], count: number): void {
  const entered = lines.filter((_line, at) => at % 2 === 0);
  expect(lines).toEqual(entered.flatMap((line) => [line, line.replace('enter', 'leave')]));
  expect(new Set(entered).size).toBe(count);
}

test('of 20 processes that find a stale lock, one at a time takes it, even if others were killed while taking it over', async () => {
  const first = await leaveStale('thing.lock');
  const second = await leaveStale(`thing.lock.${first}`);
  await leaveStale(`thing.lock.${first}.${second}`);
  await writeFile(`${file}.0123456789abcdef.draft`, '{"pid":');
  expectTurns(await race(20, { killEven: false }), 20);
  expect(await readdir(root)).toEqual(['log']);
});

test('processes that are killed while they hold the lock, one after another, do not block others', async () => {
  expectTurns(await race(20, { killEven: true }), 20);
  await (await acquired()).release();
  expect(await readdir(root)).toEqual(['log']);
});

test('threads of one process exclude each other', async () => {
  const log = path.join(root, 'log');
  const script = `
    const { appendFileSync } = require('fs');
    const { withLock } = require(${lockModule});
    const { threadId } = require('worker_threads');
    withLock({ file: ${JSON.stringify(file)} }, async () => {
      appendFileSync(${JSON.stringify(log)}, 'enter ' + threadId + '\\n');
      await new Promise((resolve) => setTimeout(resolve, 5));
      appendFileSync(${JSON.stringify(log)}, 'leave ' + threadId + '\\n');
    });`;
  await Promise.all(Array.from({ length: 4 }, () => once(new Worker(script, { eval: true }), 'exit')));
  expectTurns((await readFile(log, 'utf8')).trim().split('\n'), 4);
});

test('a lock of another machine is not taken over: the error names the process, its host and the file', async () => {
  const holder = { ...newHolder(), pid: 4711, host: 'login2', machine: 'other', boot: 'other' };
  await writeFile(file, JSON.stringify(holder));
  const error: unknown = await acquireLock({ file, elsewhereMs: 0 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(LockedElsewhere);
  expect((error as Error).message).toContain(`Process 4711 on host login2 has held the lock ${file} since`);
  expect(await readHolder(file)).toEqual(holder);
});

describe('places of two holders', () => {
  const own = { host: 'a', machine: 'm', boot: 'b', pidNamespace: 'pid:[1]' };
  const container = { ...own, machine: '' };
  test.each([
    ['the same boot', own, own, 'same'],
    ['the same boot under a changed host name', own, { ...own, host: 'elsewhere' }, 'same'],
    ['another container of one host', own, { ...own, pidNamespace: 'pid:[2]' }, 'different'],
    ['the same machine after a restart', own, { ...own, boot: 'c', pidNamespace: 'pid:[2]' }, 'earlier boot'],
    ['another machine of the same host name', own, { ...own, machine: 'n', boot: 'c' }, 'different'],
    ['another machine from the same disk image', own, { ...own, host: 'z', boot: 'c' }, 'different'],
    ['containers of one name on two machines', container, { ...container, boot: 'c' }, 'different'],
    ['one machine without boot ids', { ...own, boot: '' }, { ...own, boot: '' }, 'same'],
    ['two machines without boot ids', { ...own, boot: '' }, { ...own, boot: '', host: 'z' }, 'different'],
  ] as const)('%s', (_case, one, other, expected) => {
    expect(comparePlaces(one, other)).toBe(expected);
  });
});

test('a file that names no process is neither removed nor taken for a free lock', async () => {
  await writeFile(file, 'anything');
  await expect(tryLock(file)).rejects.toThrow(`The lock ${file} does not say which process holds it.`);
});

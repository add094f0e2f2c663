import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import {
  describeMechanism,
  findMechanism,
  makeGroup,
  missingControllers,
  mountOfCgroup2,
  ownGroup,
  systemdPrefix,
} from '../../../src/local-platform/runtimes/process/limits/mechanism';
import { describeLimits, limitsFor } from '../../../src/local-platform/runtimes/process/limits/rule';
import { outOfMemoryNote, terminationOf } from '../../../src/local-platform/runtimes/process/outcome';
import { membersOf, readPsLine, type ProcessRow } from '../../../src/local-platform/runtimes/process/process-table';
import { unitStatus } from '../../../src/local-platform/runtimes/process/unit';
import { ProcessUnits } from '../../../src/local-platform/runtimes/process/units';
import { withNotes } from '../../../src/local-platform/workspace/history';
import { freshFolder } from '../../support/folders';

describe('limits of a spec', () => {
  const laptop = { cores: 4, memoryMiB: 16_000 };

  test.each([
    ['a small shape', { shape: 'cpu.small' }, { cpus: 1, memoryMiB: 4096 }],
    ['one spelled in capitals', { shape: 'CPU.Small' }, { cpus: 1, memoryMiB: 4096 }],
    ['as many cores as there are', { shape: 'cpu.large' }, { cpus: undefined, memoryMiB: 14_400 }],
    ['a GPU with much more than the laptop', { shape: 'gpu.8xh200' }, { cpus: undefined, memoryMiB: 14_400 }],
    ['an unknown shape', { shape: 'tpu.huge' }, { cpus: undefined, memoryMiB: undefined }],
    ['nothing', { shape: undefined }, { cpus: undefined, memoryMiB: undefined }],
    ['its own figures', { shape: 'gpu.h200', cpu: 0.5, memory: 100 }, { cpus: 0.5, memoryMiB: 100 }],
  ])('%s', (_, request, expected) => {
    expect(limitsFor(request, laptop)).toEqual(expected);
  });

  test('a GPU shape includes the memory of its GPUs, because the weights are in host memory here', () => {
    const workstation = { cores: 64, memoryMiB: 256 * 1024 };
    expect(limitsFor({ shape: 'gpu.2xt4' }, workstation)).toEqual({ cpus: 8, memoryMiB: 2 * (16 * 1024 + 15_360) });
  });

  test('are described in words', () => {
    expect(describeLimits({ cpus: 1, memoryMiB: 4096 })).toBe('1 CPU and 4096 MiB of memory');
    expect(describeLimits({ cpus: undefined, memoryMiB: undefined })).toBeUndefined();
  });
});

describe('limit mechanisms', () => {
  test('arguments of systemd-run', () => {
    expect(systemdPrefix('user', { cpus: 1.5, memoryMiB: 4096 }, 'evalsaga-1')).toEqual([
      ...['systemd-run', '--user', '--scope', '--quiet', '--collect', '--unit=evalsaga-1'],
      ...['-p', 'MemoryMax=4096M', '-p', 'MemorySwapMax=0', '-p', 'CPUQuota=150%', '--'],
    ]);
    expect(systemdPrefix('system', { cpus: 1, memoryMiB: undefined }, 'x')).not.toContain('--user');
  });

  test('the kernel’s files are parsed', () => {
    const hybrid = 'tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n';
    expect(mountOfCgroup2(hybrid)).toBe('/sys/fs/cgroup/unified');
    expect(mountOfCgroup2('proc /proc proc rw 0 0\n')).toBeUndefined();
    expect(missingControllers('cpuset cpu io memory pids\n')).toEqual([]);
    expect(missingControllers('hugetlb\n')).toEqual(['memory', 'cpu']);
    expect(ownGroup('4:memory:/a\n0::/user.slice/b.scope\n')).toBe('/user.slice/b.scope');
  });

  test('this machine’s mechanism is found, or the reason why there is none', async () => {
    const mechanism = await findMechanism({ ...process.env, EVALSAGA_LIMITS: '' });
    const mounts = existsSync('/proc/self/mounts') ? readFileSync('/proc/self/mounts', 'utf8') : '';
    const mount = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
    const controllers = mount === undefined ? '' : readFileSync(path.join(mount, 'cgroup.controllers'), 'utf8');
    const hasControllers = /\bmemory\b/.test(controllers) && /\bcpu\b/.test(controllers);
    if (mechanism.kind === 'none') {
      // Controllers may also exist without the permission to use them.
      expect(mechanism.why).toMatch(
        hasControllers ? /systemd-run/ : /not mounted|lacks the controllers|has no control/,
      );
      expect(describeMechanism(mechanism)).toContain(mechanism.why);
    } else {
      expect(hasControllers).toBe(true);
      expect(mechanism.mount).toBe(mount);
    }
    expect(await findMechanism({ EVALSAGA_LIMITS: 'off' })).toMatchObject({ kind: 'none' });
  });

  test('a unit is limited if this machine can, and its description says how', async () => {
    const { path: root, dispose } = await freshFolder('limits');
    const mechanism = await findMechanism({ ...process.env, EVALSAGA_LIMITS: '' });
    const units = new ProcessUnits(mechanism);
    const limits = { cpus: undefined, memoryMiB: 128 };
    const folder = path.join(root, 'unit');
    // Touches 400 MB of memory.
    const hungry = `const pages = []; for (let i = 0; i < 400; i++) pages.push(Buffer.alloc(1e6, 1)); console.log('fits');`;
    const env = { PATH: process.env['PATH'] ?? '' };
    const log = path.join(root, 'log');
    await units.launch({ folder, command: [process.execPath, '-e', hungry], env, cwd: root, log }, limits);
    const end = await units.waitForEnd(folder, new AbortController().signal);
    await units.killRemaining(folder, undefined);
    const said = units.describe(limits);
    if (mechanism.kind === 'none') {
      expect(end).toMatchObject({ kind: 'ended', code: 0, outOfMemory: false });
      expect(said).toBe(`not limited to 128 MiB of memory: ${mechanism.why}`);
    } else {
      expect(end).toMatchObject({ kind: 'ended', code: 137, outOfMemory: true });
      expect(said).toContain('limited to 128 MiB of memory, by');
      expect(await readFile(log, 'utf8')).not.toContain('fits');
      expect(existsSync((await readFile(path.join(folder, 'cgroup'), 'utf8')).trim())).toBe(false);
    }
    await dispose();
  });

  test('a group is created with the kernel’s units', async () => {
    const { path: root, dispose } = await freshFolder('group');
    const group = path.join(root, 'g');
    await makeGroup(group, { cpus: 1.5, memoryMiB: 64 });
    expect(await readFile(path.join(group, 'memory.max'), 'utf8')).toBe(String(64 * 2 ** 20));
    expect(await readFile(path.join(group, 'cpu.max'), 'utf8')).toBe('150000 100000');
    await dispose();
  });
});

describe('a unit ended by its memory limit', () => {
  test('is recognised by the supervisor’s file', async () => {
    const { path: root, dispose } = await freshFolder('oom');
    await mkdir(path.join(root, 'unit'));
    await writeFile(path.join(root, 'unit', 'oom'), '1\n');
    await writeFile(path.join(root, 'unit', 'exit'), '137\n');
    const end = await unitStatus(path.join(root, 'unit'));
    expect(end).toMatchObject({ kind: 'ended', code: 137, outOfMemory: true });
    expect(terminationOf(end, 0)).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    const note = outOfMemoryNote(end, 'limited to 128 MiB of memory, by systemd');
    expect(note).toMatchObject({ type: 'Warning', reason: 'OOMKilled' });
    expect(note?.message).toContain('128 MiB');
    await dispose();
  });

  test('is detected by the supervisor in its control group', async () => {
    const { path: root, dispose } = await freshFolder('supervised');
    const unit = path.join(root, 'unit');
    const own = /^0::(.*)$/m.exec(
      existsSync('/proc/self/cgroup') ? readFileSync('/proc/self/cgroup', 'utf8') : '',
    )?.[1];
    // A fake cgroup mount in which this process' group counts a kill.
    const group = path.join(root, 'mount', own ?? '');
    await mkdir(group, { recursive: true });
    await mkdir(unit);
    await writeFile(path.join(group, 'memory.events'), 'low 0\noom 3\noom_kill 2\n');
    await writeFile(path.join(unit, 'limited'), path.join(root, 'mount'));
    const supervisor = path.resolve('src/local-platform/runtimes/process/supervise.sh');
    execFileSync('/bin/sh', [supervisor, unit, '/bin/sh', '-c', 'exit 9']);
    expect(await unitStatus(unit)).toMatchObject({ kind: 'ended', code: 9, outOfMemory: true });
    await dispose();
  });

  test('causes one event', () => {
    const note = { type: 'Warning', reason: 'OOMKilled', message: 'exit code 137' } as const;
    const events = withNotes([], { at: 5, notes: [note] });
    expect(events).toEqual([{ at: 5, ...note }]);
    expect(withNotes(events, { at: 6, notes: [note] })).toBe(events);
  });
});

describe('the processes of a unit', () => {
  const row = (pid: number, more: Partial<ProcessRow> = {}): ProcessRow => ({
    ...{ pid, parent: 1, group: pid, marked: false, isZombie: false },
    ...more,
  });
  const pids = (rows: ProcessRow[]) => rows.map(({ pid }) => pid).sort((a, b) => a - b);

  test('are those of its group, marked ones, and all their descendants', () => {
    const rows = [
      row(13, { parent: 12 }),
      row(12, { parent: 11 }),
      row(11, { parent: 10 }),
      row(10, { group: 10 }),
      row(20, { marked: true }),
      row(21, { parent: 20 }),
      row(30, { group: 77 }),
      row(31, { parent: 30 }),
    ];
    expect(pids(membersOf(rows, { group: 10 }))).toEqual([10, 11, 12, 13, 20, 21]);
    expect(pids(membersOf(rows, { group: undefined, known: new Set([31]) }))).toEqual([20, 21, 31]);
  });

  test('never include this process or init', () => {
    const rows = [row(1, { marked: true }), row(process.pid, { marked: true })];
    expect(membersOf(rows, { group: process.pid })).toEqual([]);
  });

  test('are read from the output of ps on other systems', () => {
    const line = '  501   1   499 Ss   node server.js EVALSAGA_UNIT=/h/unit-1 PATH=/bin';
    expect(readPsLine(line, 'EVALSAGA_UNIT=/h/unit-1')).toEqual({
      ...{ pid: 501, parent: 1, group: 499, marked: true, isZombie: false },
    });
    expect(readPsLine(line, 'EVALSAGA_UNIT=/h/unit')).toMatchObject({ marked: false });
    expect(readPsLine('  PID garbage', 'X=1')).toBeUndefined();
  });
});

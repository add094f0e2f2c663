import { msToTs } from '@temporalio/common/lib/time';
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { serviceNames, readRecord, writeRecord } from '../../src/stack/record';
import { processIdentity } from '../../src/support/process-identity';
import { settlePorts, temporalOf, testHome, type TestHome } from '../support/command';

let home: TestHome;
beforeAll(async () => {
  home = await testHome('stack');
  // A key adds the codec server, so that all background processes are tested.
  home.env['EVALSAGA_ENCRYPTION_KEY_FILE'] = `${home.folder}/evalsaga.key`;
  await home.run(['key', 'evalsaga.key']);
});
afterAll(() => home.dispose());

interface Overview {
  readonly services: { name: string; state: string; pid: number | null; ports: Record<string, number> }[];
}
const overview = async (): Promise<Overview> => JSON.parse((await home.run(['status', '--json'])).stdout);
const pids = async (): Promise<number[]> => Promise.all(serviceNames.map((name) => home.pidOf(name)));

test('before anything runs, status advises `evalsaga up`, and down has nothing to stop', async () => {
  expect((await overview()).services.map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped']);
  const { code, stderr } = await home.run(['status', 'abc']);
  expect({ code, advice: stderr.includes('evalsaga up') }).toEqual({ code: 3, advice: true });
  expect((await home.run(['down'])).stdout).toContain('nothing was running');
});

test('two concurrent `up` start each process once', async () => {
  await settlePorts(home);
  const secrets = { HF_TOKEN: 'canary-of-a-token', NGC_API_KEY: 'canary-of-a-key', TEMPORAL_API_KEY_FILE: 'x' };
  const both = await Promise.all([home.run(['up'], secrets), home.run(['up'], secrets)]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  const said = both.map(({ stderr }) => stderr).join('');
  expect(said.match(/started: .*/g)).toHaveLength(1);
  expect(said).toContain('everything was running already');
  expect((await overview()).services.map(({ state }) => state)).toEqual(Array(4).fill('running'));
});

test('the embedded server keeps ended runs for a year; a retention that the user has set stays', async () => {
  const { connection } = await temporalOf(home);
  const namespace = 'default';
  const daysKept = async (): Promise<number> => {
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    return Number(config?.workflowExecutionRetentionTtl?.seconds) / 86_400;
  };
  const keep = (days: number) =>
    connection.workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: msToTs(days * 86_400_000) },
    });
  try {
    expect(await daysKept()).toBe(365);
    // As in a home of an earlier build, whose server runs.
    await keep(1);
    await home.run(['up']);
    expect(await daysKept()).toBe(365);
    await keep(30);
    await home.run(['up']);
    expect(await daysKept()).toBe(30);
  } finally {
    await connection.close();
  }
});

test('background processes get no secrets and no terminal of the starting shell, and their files are private', async () => {
  for (const pid of await pids()) {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment).not.toMatch(/canary/);
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toMatch(/canary/);
    expect(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[4]).toBe('0');
  }
  for (const name of serviceNames) {
    expect(statSync(`${home.home.stack}/${name}.json`).mode & 0o077).toBe(0);
    expect(statSync(`${home.home.stack}/${name}.log`).mode & 0o077).toBe(0);
  }
  expect(statSync(home.home.temporalDatabase).mode & 0o077).toBe(0);
});

test.each(serviceNames)(
  'kill -9 of %s: `up` restarts it on the same ports and leaves the others running',
  async (name) => {
    const before = await overview();
    const victim = await home.pidOf(name);
    const others = (await pids()).filter((pid) => pid !== victim);
    process.kill(victim, 'SIGKILL');
    expect((await overview()).services.find((service) => service.name === name)?.state).toBe('died');
    const { code, stderr } = await home.run(['up']);
    expect({ code, started: /started: (.*)/.exec(stderr)?.[1] }).toEqual({ code: 0, started: name });
    const after = await overview();
    expect(after.services.map(({ ports }) => ports)).toEqual(before.services.map(({ ports }) => ports));
    expect((await pids()).filter((pid) => others.includes(pid))).toHaveLength(3);
  },
);

test('`up` replaces a worker of another build and leaves the other processes running', async () => {
  const record = await readRecord(home.home, 'worker');
  if (!record) throw new Error('no worker');
  const [temporal] = await pids();
  await writeRecord(home.home, 'worker', { ...record, setup: record.setup.replace(/^\S+/, '0.0.0+older') });
  const { stderr } = await home.run(['up']);
  expect(stderr).toContain('started: worker');
  expect(await home.pidOf('worker')).not.toBe(record.pid);
  expect(processIdentity(record.pid)).toBeUndefined();
  expect(await home.pidOf('temporal')).toBe(temporal);
});

test('`down` does not touch an unrelated process that has the recorded pid', async () => {
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' });
  try {
    const record = await readRecord(home.home, 'platform');
    const pid = stranger.pid;
    if (!record || pid === undefined) throw new Error('nothing to mix up');
    await writeRecord(home.home, 'platform', { ...record, pid });
    expect((await overview()).services.find(({ name }) => name === 'platform')?.state).toBe('died');
    await home.run(['down']);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    // `down` did not see the platform process, which still runs: the next test's `up` must handle that, too.
    await writeRecord(home.home, 'platform', record);
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('`down` stops all processes, and `up` restarts them on the same ports', async () => {
  await home.run(['up']);
  const before = await overview();
  const running = await pids();
  expect((await home.run(['down'])).stdout).toContain('stopped: worker, platform, codec, temporal');
  expect(running.map((pid) => processIdentity(pid))).toEqual(Array(4).fill(undefined));
  expect((await overview()).services.map(({ state }) => state)).toEqual(Array(4).fill('stopped'));
  expect((await home.run(['up'])).code).toBe(0);
  expect((await overview()).services.map(({ ports }) => ports)).toEqual(before.services.map(({ ports }) => ports));
});

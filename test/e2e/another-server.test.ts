import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeRun } from '../../src/client';
import { ownerAmong } from '../../src/cleanup/owners';
import { findTemporal } from '../../src/stack/reach';
import { connectClient } from '../../src/temporal/connect';
import { logFile, readRecord, writeRecord, type ServiceName } from '../../src/stack/record';
import { processIdentity } from '../../src/support/process-identity';
import { commandBench, settlePorts, testHome, type CommandBench, type TestHome } from '../support/command';

/** A worker whose server has died does nothing for whatever server answers at the same address later. */

let home: CommandBench;
let other: TestHome;
beforeAll(async () => {
  [home, other] = await Promise.all([commandBench('another-server'), testHome('another-server')]);
  await settlePorts(home);
});
afterAll(() => Promise.all([home.dispose(), other.dispose()]));

async function ended(pid: number): Promise<void> {
  while (processIdentity(pid) !== undefined) await sleep(100);
}

async function killed(name: ServiceName): Promise<void> {
  const pid = await home.pidOf(name);
  process.kill(pid, 'SIGKILL');
  await ended(pid);
}

test('the worker ends when the server of another home has taken the port of its own, and that home has its own worker', async () => {
  await home.run(['up']);
  const worker = await home.pidOf('worker');
  const record = await readRecord(home.home, 'temporal');
  const reach = await findTemporal(home.home, home.env);
  if (!record || !reach) throw new Error('no server');
  const client = await connectClient(reach);
  await killed('temporal');
  await writeRecord(other.home, 'temporal', { ...record, stopped: true });
  const { env } = await home.lepton();
  const run = await other.run(['start', home.config], env);
  expect(await readRecord(other.home, 'temporal')).toMatchObject({ ports: record.ports });
  expect({ code: run.code, stderr: run.code === 0 ? '' : run.stderr }).toEqual({ code: 0, stderr: '' });
  // Nor does anything else of this home take the other server's ignorance for the end of its runs.
  const another = /another server answers at the same address/;
  await expect(ownerAmong(client, '0123456789abcdef', [0])).rejects.toThrow(another);
  await expect(describeRun(client, '0123456789abcdef', home.home)).rejects.toThrow(another);
  await client.connection.close();
  await ended(worker);
  expect(readFileSync(logFile(home.home, 'worker'), 'utf8')).toContain(
    `At 127.0.0.1:${record.ports['grpc']}, where this home's own Temporal server was, another one answers`,
  );
  const { code, stderr } = await home.run(['up']);
  expect({ code, started: /started: (.*)/.exec(stderr)?.[1] }).toEqual({ code: 0, started: 'temporal, worker' });
  expect((await readRecord(home.home, 'temporal'))?.ports['grpc']).not.toBe(record.ports['grpc']);
});

test('a worker does not serve a new database of its server, since it would mark what it makes with the old one', async () => {
  const worker = await home.pidOf('worker');
  await killed('temporal');
  const { dir, base } = path.parse(home.home.temporalDatabase);
  for (const end of ['', '-wal', '-shm']) await rm(path.join(dir, base + end), { force: true });
  expect((await home.run(['up'])).stderr).toMatch(/started: temporal, worker/);
  expect(await home.pidOf('worker')).not.toBe(worker);
  await ended(worker);
});

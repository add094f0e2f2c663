import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLeptonClient } from '../../src/lepton/client';
import { NoTimedLogs, timedLog } from '../../src/results/logs/timed-log';
import { eventually, job, testPlatform, type TestPlatform } from './test-platform';

/** Logs by time, through `GET /logs` of the local platform, for real processes and for simulated jobs. */

let platform: TestPlatform;
afterEach(() => platform.dispose());

const never = new AbortController().signal;
const client = () => createLeptonClient({ url: platform.url, workspace: platform.workspace, token: platform.token });
const isOver = async (id: string) => (await platform.json('GET', `/jobs/${id}`)).status.state !== 'Running';
const bash = (script: string) => job('talks', { container: { image: 'any', command: ['/bin/bash', '-c', script] } });

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

const request = (id: string, since: Date, follow: boolean) => ({
  client: client(),
  of: { job: id },
  since,
  follow,
  signal: never,
  isOver: () => isOver(id),
  pauseMs: 100,
});

test('lines since a time are read across a restart of the platform, and followed to the end', async () => {
  platform = await testPlatform({ runtime: 'process' });
  const script =
    'for i in 1 2 3; do echo "früh $i"; done; until test -e go; do sleep 0.1; done; echo "spät 1"; sleep 1; echo "spät 2"';
  const id = (await platform.json('POST', '/jobs', bash(`cd /workspace; ${script}`))).metadata.id;
  const early = new Date(Date.now() - 60_000);
  await eventually(async () => (await collect(timedLog(request(id, early, false)))).length === 3, 'three lines');
  await sleep(1_100); // the lines' times are seconds apart
  const between = new Date();
  platform = await platform.restarted();
  expect(await collect(timedLog(request(id, early, false)))).toEqual(['früh 1', 'früh 2', 'früh 3']);
  expect(await collect(timedLog(request(id, between, false)))).toEqual([]);
  const { createWriteStream } = await import('node:fs');
  createWriteStream(`${platform.root}/platform/runtime/jobs/${id}/work/go`).end();
  expect(await collect(timedLog(request(id, between, true)))).toEqual(['spät 1', 'spät 2']);
  await platform.json('DELETE', `/jobs/${id}`);
});

test('more lines than fit on a page are each read once', async () => {
  platform = await testPlatform({ runtime: 'process' });
  const id = (await platform.json('POST', '/jobs', bash('seq 1 2500'))).metadata.id;
  const all = await collect(
    timedLog({
      ...request(id, new Date(0), true),
      isOver: async () => (await platform.json('GET', `/jobs/${id}`)).status.state === 'Completed',
    }),
  );
  expect(all).toEqual(Array.from({ length: 2_500 }, (_, index) => String(index + 1)));
  await platform.json('DELETE', `/jobs/${id}`);
});

test('a process that escapes its job and keeps writing changes neither times nor lines of the log', async () => {
  platform = await testPlatform({ runtime: 'process' });
  const daemon = `env -i setsid bash -c 'for i in {1..1500}; do echo daemon; sleep 0.01; done' &`;
  const id = (await platform.json('POST', '/jobs', bash(`${daemon} seq 1 3000; sleep 0.2; echo last`))).metadata.id;
  const status = async () => (await platform.json('GET', `/jobs/${id}`)).status;
  await eventually(async () => (await status()).state === 'Completed', 'Completed');
  const values = async () => {
    const answer = await platform.json('GET', `/logs?job=${id}&direction=forward&limit=10000`);
    return answer.data.result[0].values as [string, string][];
  };
  const before = await values();
  const { completion_time: end } = await status();
  expect(before.every(([at]) => BigInt(at) < BigInt(end) * 1_000_000n)).toBe(true);
  expect(before.filter(([, line]) => line !== 'daemon')).toHaveLength(3_001);
  const file = `${platform.root}/platform/runtime/jobs/${id}/log`;
  const { size } = await stat(file);
  await eventually(async () => (await stat(file)).size > size, 'the escaped process writes on');
  expect(await values()).toEqual(before);
  platform = await platform.restarted();
  expect(await values()).toEqual(before);
  await platform.json('DELETE', `/jobs/${id}`);
});

test("a platform's temporary failures are retried, and a platform without such logs is recognised", async () => {
  const states = 'jobs: { default: { states: [[Completed]], log: eins } }';
  platform = await testPlatform({ plan: `${states}\nfaults: [{ on: 'GET /logs', times: 2, respond: 503 }]` });
  const id = (await platform.json('POST', '/jobs', job('a'))).metadata.id;
  await eventually(async () => (await platform.json('GET', `/jobs/${id}`)).status.state === 'Completed');
  const notes: string[] = [];
  const lines = await collect(timedLog({ ...request(id, new Date(0), false), onNote: (note) => notes.push(note) }));
  expect(lines.at(-1)).toBe('eins');
  expect(notes).toHaveLength(2);
  await platform.dispose();

  platform = await testPlatform({ plan: `${states}\nfaults: [{ on: 'GET /logs', times: inf, respond: 404 }]` });
  await expect(collect(timedLog(request('a', new Date(0), false)))).rejects.toThrow(NoTimedLogs);
});

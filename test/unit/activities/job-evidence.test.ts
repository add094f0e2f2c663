import { eventsOfEnded } from '../../../src/activities/job-interruption';
import { failureAndLog } from '../../../src/activities/log-tail';
import { createLeptonClient } from '../../../src/lepton/client';
import { readJobEnd } from '../../../src/lepton/job-end';
import type { Job } from '../../../src/lepton/types';
import { sendJson, startServer, type TestServer } from '../../support/http-server';

/** What tells why a job ended is asked again if it can't be had just now, but not for ever. */

/** Status of the answers about events and logs. */
let status = 200;
let server: TestServer;
beforeAll(async () => {
  server = await startServer(({ url }, response) => {
    if (status !== 200) return sendJson(response, { code: 'Fault', message: 'not now' }, status);
    if (url.includes('/events'))
      return sendJson(response, [
        { type: 'Warning', reason: 'NodeLost', message: 'node was lost', count: 1, last_observed_time: '2026-11-28' },
      ]);
    if (url.includes('/log')) return void response.end('evaluating\n');
    return sendJson(response, url.includes('/empty/') ? [] : [{ metadata: { id: 'one' } }]);
  });
});
afterAll(() => server.close());

const signal = new AbortController().signal;
const client = () =>
  createLeptonClient({
    url: `${server.url}/api/v2/workspaces/w`,
    workspace: 'w',
    token: 'secret-token-1',
    source: 'test',
  });
const failedJob = (id: string): Job => ({ metadata: { id, name: id }, status: { state: 'Failed' } });

test("events that can't be read just now are asked for again, and tell what they say then", async () => {
  const job = failedJob('passing');
  status = 503;
  for (let look = 1; look <= 3; look += 1)
    await expect(eventsOfEnded(client(), { job, signal })).rejects.toThrow('503');
  status = 200;
  const events = await eventsOfEnded(client(), { job, signal });
  expect(readJobEnd({ job, events, lines: [] })).toEqual({ kind: 'from outside', why: 'its node was lost' });
});

test.each([
  [503, 6],
  [404, 3],
  [403, 3],
])('if they are answered with %d for good, the job is judged without them', async (refusal, looks) => {
  const job = failedJob(`never-${refusal}`);
  status = refusal;
  for (let look = 1; look < looks; look += 1) await expect(eventsOfEnded(client(), { job, signal })).rejects.toThrow();
  expect(await eventsOfEnded(client(), { job, signal })).toEqual([]);
});

test('a log that is not there is read; one that the platform does not hand over is not', async () => {
  const read = async (job: string) => failureAndLog(client(), { job, createdAt: undefined }, { said: '', signal });
  status = 200;
  expect(await read('full')).toMatchObject({ isRead: true, words: 'last log line: evaluating' });
  expect(await read('empty')).toMatchObject({ isRead: true, words: '' });
  status = 503;
  expect(await read('full')).toMatchObject({ isRead: false, words: '' });
});

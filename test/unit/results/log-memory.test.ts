import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { freshFolder } from '../../support/folders';
import { sendJson, startServer, type TestServer } from '../../support/http-server';
import { peakMemoryOf } from '../../support/peak-memory';

/** Measures from outside the memory of every path that a log takes, so that kept pieces show. */

const megabytes = 1024 * 1024;
let folder: Awaited<ReturnType<typeof freshFolder>>;
let server: TestServer;
let log: Pieces;

beforeEach(async () => {
  folder = await freshFolder('log-memory');
  server = await startServer(async ({ url }, response) => {
    if (/\/log(?:\?|$)/.test(url)) return pipeline(repeated(log), response);
    if (url.includes('/replicas')) return sendJson(response, [{ metadata: { id: 'r0' } }]);
    const job = { metadata: { id: 'j-1', name: 'j' }, status: { state: 'Completed' } };
    if (url.includes('/jobs/')) return sendJson(response, job);
    if (url.includes('/jobs')) return sendJson(response, { jobs: [job], total: 1 });
    return sendJson(response, {}, 404);
  });
});
afterEach(async () => {
  await server.close();
  await folder.dispose();
});

type Pieces = Iterable<readonly [piece: string, times: number]>;

function* repeated(pieces: Pieces): Generator<Buffer> {
  for (const [piece, times] of pieces) for (let count = 0; count < times; count += 1) yield Buffer.from(piece);
}

const access = () => ({
  LEPTON_WORKSPACE_ID: 'w',
  LEPTON_WORKSPACE_TOKEN: 'token-of-the-test',
  LEPTON_WORKSPACE_URL: `${server.url}/api/v2/workspaces/w`,
  EVALSAGA_HOME: folder.path,
});

test('a worker that saves a log of 200 MB does not keep it in memory', async () => {
  log = [
    [`${'a token of the log '.repeat(50)}\n`.repeat(40), 5_500],
    ['CUDA out of memory\n', 1],
  ];
  const target = path.join(folder.path, 'results', '0-hellaswag', 'logs', 'job.log');
  const url = access().LEPTON_WORKSPACE_URL;
  const input = {
    platform: { kind: 'lepton', workspace: 'w', url },
    ...{ invocation: '0123456789abcdef', index: 0, name: 'j', id: 'j-1', target },
  };
  const { said, grown } = await peakMemoryOf(
    {
      load: `
        const { MockActivityEnvironment } = require('@temporalio/testing');
        const { createActivities } = dist('activities/index');
        const { createWorkerDependencies } = dist('worker/worker-dependencies');
        const home = dist('home/paths').homePaths(process.env);
        const activities = createActivities(createWorkerDependencies({ home, env: process.env, origin: 'test' }));
        // The mock's own budget is one second; a run gives this much to a job's log.
        const environment = new MockActivityEnvironment({ scheduleToCloseTimeoutMs: 600_000 });`,
      work: `console.log(JSON.stringify(await environment.run(activities.saveJobLog, ${JSON.stringify(input)})));`,
    },
    access(),
  );
  expect(JSON.parse(said)).toBeNull();
  expect((await stat(target)).size).toBeGreaterThan(60 * megabytes);
  expect((await readFile(target, 'utf8')).slice(-100)).toMatch(/of the log \nCUDA out of memory\n$/);
  expect(grown).toBeLessThan(120 * megabytes);
});

test.each([
  ['followed', { follow: true }],
  ['read so far', { follow: false }],
])('a log with one line of 50 MB and many others is %s in bounded memory', async (_case, wish) => {
  log = [
    ['李明 '.repeat(10_000), 700],
    ['\nan ordinary line'.repeat(1_000), 1_000],
    ['\nthe end\n', 1],
  ];
  const { said, grown } = await peakMemoryOf({
    load: `
      const client = dist('lepton/client').createLeptonClient({ url: '${server.url}/w', workspace: 'w', token: 't' });
      const { platformLines } = dist('cli/logs/log-reading');
      const source = { kind: 'live', replica: 'r0', of: { job: 'j-1' }, createdAt: 1, isOver: async () => true, hasEnded: async () => true,
        open: ({ follow, signal }) => client.jobLog('j-1', 'r0', { follow, signal }) };
      const wish = { client: undefined, secrets: ['s3cret'], note: () => {}, warn: () => {}, ...${JSON.stringify(wish)} };`,
    work: `
      let bytes = 0, last = '', broken = 0;
      for await (const line of platformLines(source, wish, { isFirst: true, signal: new AbortController().signal })) {
        bytes += Buffer.byteLength(line); last = line; broken += line.includes('\\ufffd') ? 1 : 0;
      }
      console.log(JSON.stringify({ bytes, last, broken }));`,
  });
  const heard = JSON.parse(said) as { bytes: number; last: string; broken: number };
  expect(heard).toMatchObject({ last: 'the end', broken: 0 });
  expect(heard.bytes).toBe(700 * 70_000 + 1_000_000 * 16 + 7);
  expect(grown).toBeLessThan(120 * megabytes);
});

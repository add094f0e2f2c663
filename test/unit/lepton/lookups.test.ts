import { createLookups } from '../../../src/lepton/coalesced';
import { createLeptonClient } from '../../../src/lepton/client';
import { sendJson, startServer, type TestServer } from '../../support/http-server';

/** Against a real server: what counts is how many requests many waiting tasks cost. */

let server: TestServer;
let failing = false;

const deployment = (name: string) => ({ metadata: { id: name, name }, spec: {}, status: { state: 'Starting' } });
const job = (id: string, name: string, at: number) => ({
  metadata: { id, name, created_at: at },
  spec: {},
  status: { state: 'Running' },
});

beforeEach(async () => {
  failing = false;
  server = await startServer(({ url }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    if (failing) return sendJson(response, { message: 'busy' }, 503);
    if (pathname === '/w/workspace') return sendJson(response, {});
    if (pathname === '/w/deployments') return sendJson(response, [deployment('a'), deployment('b')]);
    if (pathname === '/w/deployments/late') return sendJson(response, deployment('late'));
    if (pathname === '/w/jobs/done-1') return sendJson(response, job('done-1', 'done', 1));
    if (pathname !== '/w/jobs') return sendJson(response, { message: 'none' }, 404);
    const jobs = [job('x-1', 'x', 1), job('x-2', 'x', 2)];
    return sendJson(response, { jobs: searchParams.get('page') === '1' ? jobs : [] });
  });
});
afterEach(() => server.close());

const connect = (sharedForMs: number) =>
  createLookups(createLeptonClient({ url: `${server.url}/w`, workspace: 'w', token: 't' }), { sharedForMs });

const count = (start: string) => server.seen.filter(({ url }) => url.startsWith(start)).length;

test('a hundred waiting tasks cost one listing', async () => {
  const lookups = connect(60_000);
  const names = await Promise.all(Array.from({ length: 100 }, (_, at) => lookups.deployment(at % 2 ? 'a' : 'b')));
  expect(names.map((found) => found?.metadata.name)).toEqual(
    Array.from({ length: 100 }, (_, at) => (at % 2 ? 'a' : 'b')),
  );
  await Promise.all(Array.from({ length: 100 }, () => lookups.job('x-1')));
  expect(count('/w/deployments')).toBe(1);
  expect(count('/w/jobs')).toBe(2); // the page, and the empty one after it
});

test('an interval of zero asks each time', async () => {
  const lookups = connect(0);
  await lookups.deployment('a');
  await lookups.deployment('a');
  expect(count('/w/deployments')).toBe(2);
});

test('what the listing lacks is asked for singly before it is called absent', async () => {
  const lookups = connect(60_000);
  expect((await lookups.deployment('late'))?.metadata.name).toBe('late');
  expect(await lookups.deployment('never')).toBeUndefined();
  expect((await lookups.job('done-1'))?.metadata.id).toBe('done-1');
  expect(await lookups.job('never')).toBeUndefined();
});

test('a name that several jobs had means the newest', async () => {
  expect((await connect(60_000).job('x'))?.metadata.id).toBe('x-2');
});

test('a failing platform is not asked once per task', async () => {
  const lookups = connect(60_000);
  await lookups.job('x-1');
  const before = server.seen.length;
  const other = connect(60_000);
  failing = true;
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => other.job('x-1')));
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  expect(server.seen.length - before).toBe(1);
});

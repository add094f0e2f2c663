import { setTimeout as sleep } from 'node:timers/promises';
import { createAllowance, createLookups, freshReadingAfterMs } from '../../../src/lepton/coalesced';
import { createLeptonClient } from '../../../src/lepton/client';
import type { Revisions } from '../../../src/lepton/types';
import { sendJson, startServer, type TestServer } from '../../support/http-server';

/** Counts the requests that many waiting tasks cause, with a real server. */

let server: TestServer;
let failing = false;
/** Once it resolves, the listing of deployments answers. */
let listingAnswers: Promise<void>;
let pageOf: (page: number) => object[];

const deployment = (name: string) => ({ metadata: { id: name, name }, spec: {}, status: { state: 'Starting' } });
const job = (id: string, name: string, at: number) => ({
  metadata: { id, name, created_at: at },
  spec: {},
  status: { state: 'Running' },
});

beforeEach(async () => {
  failing = false;
  listingAnswers = Promise.resolve();
  pageOf = (page) => (page === 1 ? [job('x-1', 'x', 1), job('x-2', 'x', 2)] : []);
  server = await startServer(({ url }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    if (failing) return sendJson(response, { message: 'busy' }, 503);
    if (pathname === '/w/workspace') return sendJson(response, {});
    if (pathname === '/w/deployments')
      return void listingAnswers.then(() => sendJson(response, [deployment('a'), deployment('b')]));
    if (pathname === '/w/deployments/late') return sendJson(response, deployment('late'));
    if (pathname === '/w/jobs/done-1') return sendJson(response, job('done-1', 'done', 1));
    if (pathname !== '/w/jobs') return sendJson(response, { message: 'none' }, 404);
    return sendJson(response, { jobs: pageOf(Number(searchParams.get('page'))) });
  });
});
afterEach(() => server.close());

const connect = (sharedForMs: number) =>
  createLookups(createLeptonClient({ url: `${server.url}/w`, workspace: 'w', token: 't' }), { sharedForMs });

const count = (start: string) => server.seen.filter(({ url }) => url.startsWith(start)).length;

test('a hundred waiting tasks cause one listing', async () => {
  const lookups = connect(60_000);
  const names = await Promise.all(Array.from({ length: 100 }, (_, at) => lookups.deployment(at % 2 ? 'a' : 'b')));
  expect(names.map((found) => found?.metadata.name)).toEqual(
    Array.from({ length: 100 }, (_, at) => (at % 2 ? 'a' : 'b')),
  );
  await Promise.all(Array.from({ length: 100 }, () => lookups.job('x-1')));
  expect(count('/w/deployments')).toBe(1);
  expect(count('/w/jobs')).toBe(1);
});

test('a page that may be a full one is not taken for the last', async () => {
  pageOf = (page) =>
    page === 1
      ? Array.from({ length: 20 }, (_, at) => job(`y-${at}`, 'y', at))
      : page === 2
        ? [job('z-1', 'z', 1)]
        : [];
  const lookups = connect(60_000);
  expect((await lookups.job('z-1'))?.metadata.id).toBe('z-1');
  expect(count('/w/jobs')).toBe(2);
});

test('who has changed something gets a listing that began afterwards, shared with others who have', async () => {
  const lookups = connect(200);
  await lookups.deployment('a');
  const fresh = await Promise.all(Array.from({ length: 20 }, () => lookups.deployment('a', { isFresh: true })));
  expect(fresh.map((found) => found?.metadata.name)).toEqual(Array(20).fill('a'));
  expect(count('/w/deployments')).toBe(2);
  // The get alone decides what a fresh listing lacks.
  expect(await lookups.deployment('never', { isFresh: true })).toBeUndefined();
  expect(server.seen.map(({ url }) => url).slice(-2)).toEqual(['/w/deployments', '/w/deployments/never']);
});

test('a listing that takes longer than its interval is waited for, not asked for twice', async () => {
  let answer = (): void => undefined;
  listingAnswers = new Promise((resolve) => (answer = resolve));
  const lookups = connect(20);
  const first = lookups.deployment('a');
  await sleep(50);
  const second = lookups.deployment('b');
  answer();
  await Promise.all([first, second]);
  expect(count('/w/deployments')).toBe(1);
});

test('questions beyond the shared ones are granted so many times per interval, whoever asks', async () => {
  const mayAsk = createAllowance({ most: 2, perMs: 1_000 });
  expect([mayAsk(), mayAsk(), mayAsk()]).toEqual([true, true, false]);
  await sleep(1_010);
  expect(mayAsk()).toBe(true);
});

test('with an interval of zero every look-up is a request', async () => {
  const lookups = connect(0);
  await lookups.deployment('a');
  await lookups.deployment('a');
  expect(count('/w/deployments')).toBe(2);
});

test('a resource that the listing lacks is read by itself before it counts as absent', async () => {
  const lookups = connect(100);
  expect((await lookups.deployment('late'))?.metadata.name).toBe('late');
  expect(await lookups.deployment('never')).toBeUndefined();
  expect((await lookups.job('done-1'))?.metadata.id).toBe('done-1');
  expect(await lookups.job('never')).toBeUndefined();
  expect(
    server.seen
      .map(({ url }) => url)
      .filter((url) => url.startsWith('/w/deployments'))
      .slice(0, 4),
  ).toEqual(['/w/deployments', '/w/deployments', '/w/deployments/late', '/w/deployments']);
});

test('a name of several jobs means the newest', async () => {
  expect((await connect(60_000).job('x'))?.metadata.id).toBe('x-2');
});

test('a failing platform is not called once per task', async () => {
  const lookups = connect(60_000);
  await lookups.job('x-1');
  const before = server.seen.length;
  const other = connect(60_000);
  failing = true;
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => other.job('x-1')));
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  expect(server.seen.length - before).toBe(1);
});

test('where changes are announced a listing serves for longer, but not one that has failed', async () => {
  const client = createLeptonClient({ url: `${server.url}/w`, workspace: 'w', token: 't' });
  const held: Promise<undefined> = new Promise(() => undefined);
  const announcing = {
    ...client,
    nextChange: (known?: Revisions) => (known ? held : Promise.resolve({ deployments: '1', jobs: '1' })),
  };
  const lookups = createLookups(announcing, { sharedForMs: 100 });
  const end = lookups.onChange('deployments', 'a', () => undefined);
  // Its first listing, too: with a failed one the watch would give up.
  while (lookups.patience('deployments') === 1 || count('/w/deployments') === 0) await sleep(5);
  failing = true;
  await expect(lookups.listedDeployment('a', { isFresh: true })).rejects.toThrow(/503/);
  await expect(lookups.listedDeployment('a')).rejects.toThrow(/503/);
  failing = false;
  await sleep(150);
  expect((await lookups.listedDeployment('a'))?.metadata.name).toBe('a');
  const asked = count('/w/deployments');
  await sleep(150);
  await lookups.listedDeployment('a');
  expect(count('/w/deployments')).toBe(asked);
  end();
});

test('a listing that takes long is read anew more rarely, up to a limit', () => {
  expect(freshReadingAfterMs(125, 10)).toBe(125);
  expect(freshReadingAfterMs(125, 100)).toBe(1_000);
  expect(freshReadingAfterMs(125, 30_000)).toBe(2_125);
});

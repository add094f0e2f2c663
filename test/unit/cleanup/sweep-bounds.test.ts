import type { Client } from '@temporalio/client';
import { temporal as wire } from '@temporalio/proto';
import path from 'node:path';
import { Readable } from 'node:stream';
import { recordable, workMs } from '../../../src/activities/sweep';
import { createLeptonClient } from '../../../src/lepton/client';
import type { Fetch } from '../../../src/lepton/http';
import { sweep, type SweepRequest, type SweptResource } from '../../../src/cleanup/sweep';
import { freshFolder } from '../../support/folders';

/** What a sweep requests in a large workspace, and what it reports when its time is up. */

const { DescribeWorkflowExecutionResponse } = wire.api.workflowservice.v1;

const origin = 'ours';
const marks = (invocation: string, index: number, of = origin) => [
  { name: 'EVALSAGA_INVOCATION', value: invocation },
  { name: 'EVALSAGA_TASK', value: String(index) },
  { name: 'EVALSAGA_ORIGIN', value: of },
];
const idOf = (number: number): string => number.toString(16).padStart(16, '0');

interface Item {
  readonly name: string;
  readonly envs: readonly object[];
}

/** A workspace with this content; `asked` is called with every request before it is answered. */
function workspace(content: { endpoints: Item[]; jobs: Item[] }, asked: (call: string) => void): Fetch {
  const onWire = ({ name, envs }: Item) => ({
    metadata: { id: name, name, created_at: 1 },
    spec: { envs },
    status: {},
  });
  return (url, { method }) => {
    const { pathname, searchParams } = new URL(url);
    const [, kind = '', name] = /\/(deployments|jobs|workspace|storage|usersecrets)(?:\/(.*))?$/.exec(pathname) ?? [];
    asked(`${method} ${kind}${name === undefined ? '' : '/:name'}`);
    const items = kind === 'jobs' ? content.jobs : content.endpoints;
    const at = (Number(searchParams.get('page') ?? 1) - 1) * 500;
    const matches = items.filter((item) => item.name.includes(searchParams.get('q') ?? ''));
    if (method === 'DELETE')
      items.splice(
        items.findIndex((item) => item.name === name),
        1,
      );
    const known = name === undefined || method === 'DELETE' || items.some((item) => item.name === name);
    const list = kind === 'jobs' ? matches.slice(at, at + 500) : items;
    const found =
      kind === 'workspace'
        ? {}
        : kind === 'storage' || kind === 'usersecrets'
          ? []
          : name === undefined
            ? list.map(onWire)
            : {};
    const body = Readable.from([Buffer.from(JSON.stringify(found))]);
    return Promise.resolve({ status: known ? 200 : 404, statusText: '', headers: { get: () => null }, body });
  };
}

/** The part of Temporal that a sweep uses: every workflow closed long ago. */
function temporal(asked: (workflowId: string) => void): Client {
  const describeWorkflowExecution = ({ execution }: { execution: { workflowId: string } }) => {
    asked(execution.workflowId);
    const status = { status: 2, closeTime: { seconds: 1 }, startTime: { seconds: 1 }, historyLength: 1 };
    const workflowExecutionInfo = { execution, type: { name: 'x' }, ...status };
    return Promise.resolve(DescribeWorkflowExecutionResponse.fromObject({ workflowExecutionInfo }));
  };
  // No run was terminated, so no storage is searched for.
  const listWorkflowExecutions = () => Promise.resolve({ executions: [], nextPageToken: new Uint8Array() });
  const workflowService = { describeWorkflowExecution, listWorkflowExecutions };
  const connection = { workflowService, withDeadline: (_: number, call: () => Promise<unknown>) => call() };
  return {
    connection,
    options: { namespace: 'default', loadedDataConverter: { payloadCodecs: [] } },
  } as unknown as Client;
}

async function run(
  content: { endpoints: Item[]; jobs: Item[] },
  options: { readonly onRequest?: (call: string) => void; readonly onQuestion?: () => void } & Partial<SweepRequest>,
) {
  const folder = await freshFolder('sweep-bounds');
  const calls: string[] = [];
  const questions: string[] = [];
  const access = { url: 'http://127.0.0.1:1/api/v2/workspaces/w', workspace: 'w', token: 't' };
  const fetch = workspace(content, (call) => {
    calls.push(call);
    options.onRequest?.(call);
  });
  const client = temporal((workflowId) => {
    questions.push(workflowId);
    options.onQuestion?.();
  });
  try {
    const report = await sweep({
      temporal: client,
      platform: createLeptonClient(access, { fetch }),
      ref: { kind: 'lepton', workspace: 'w', url: access.url },
      home: { runs: path.join(folder.path, 'runs'), swept: path.join(folder.path, 'swept') },
      origin,
      graceSeconds: 60,
      secretsOf: () => Promise.resolve([]),
      dryRun: false,
      ...options,
    });
    return { report, calls, questions };
  } finally {
    await folder.dispose();
  }
}

const many = (count: number, envs: (index: number) => readonly object[] = () => []): Item[] =>
  Array.from({ length: count }, (_, index) => ({ name: `item-${index}`, envs: envs(index) }));

test('thousands of resources of other installations are read once, page by page; Temporal is not asked about them, and they stay', async () => {
  const foreign = (index: number) => marks(idOf(index), 0, 'another installation');
  const content = {
    endpoints: [...many(5_000), ...many(1_000, foreign)],
    jobs: [...many(5_000), ...many(1_000, foreign)],
  };
  content.jobs = content.jobs.map((job, index) => ({ ...job, name: `job-${index}` }));
  const { report, calls, questions } = await run(content, {});
  expect(report).toEqual({ removed: [], failed: [], spared: 2_000 });
  expect(questions).toEqual([]);
  // The dialect, one listing of endpoints, twelve full pages of jobs and the empty one after them; the names of
  // secrets, among which may be tokens of endpoints; and whether there is a storage API, where a terminated run could have left storage.
  expect(
    Object.fromEntries([...new Set(calls)].map((call) => [call, calls.filter((one) => one === call).length])),
  ).toEqual({
    'GET workspace': 1,
    'GET deployments': 1,
    'GET jobs': 13,
    'GET usersecrets': 1,
    'GET storage': 1,
    'HEAD storage/:name': 1,
  });
});

test('a closed run of a thousand tasks costs one request to Temporal for each workflow', async () => {
  const content = {
    endpoints: many(1_000, (index) => marks(idOf(1), index)),
    jobs: many(1_000, (index) => marks(idOf(1), index)).map((job, index) => ({ ...job, name: `job-${index}` })),
  };
  const { report, questions } = await run(content, { dryRun: true });
  expect(report.removed).toHaveLength(2_000);
  // The run, its tasks, and the ten batches that these may have been in.
  expect(questions).toHaveLength(1_011);
});

describe('when its time is up', () => {
  const three = () => ({ endpoints: many(300, (index) => marks(idOf(index), 0)), jobs: [] });

  test('it reports what it removed and what it did not reach', async () => {
    const end = new AbortController();
    let deletions = 0;
    const onRequest = (call: string): void => {
      if (call === 'DELETE deployments/:name' && (deletions += 1) === 150) end.abort();
    };
    const { report } = await run(three(), { outOfTime: end.signal, onRequest });
    expect(report.removed.length + report.failed.length).toBe(300);
    expect(report.failed.length).toBeGreaterThanOrEqual(300 - deletions);
    expect(report.unfinished).toBeUndefined();
    for (const { reason } of report.failed) expect(reason).toMatch(/no time left/);
    expect(deletions).toBeLessThan(300);
  });

  test('before all resources are judged, it removes nothing and says so', async () => {
    const end = new AbortController();
    let questions = 0;
    const onQuestion = (): void => {
      if ((questions += 1) === 100) end.abort();
    };
    const { report, calls } = await run(three(), { outOfTime: end.signal, onQuestion });
    expect(report).toEqual({
      removed: [],
      failed: [],
      spared: 0,
      unfinished: expect.stringContaining('nothing was removed'),
    });
    expect(calls.filter((call) => call.startsWith('DELETE'))).toEqual([]);
    expect(questions).toBeLessThan(200);
  });

  test('a cancel makes it reject instead', async () => {
    const end = new AbortController();
    await expect(
      run(three(), { signal: end.signal, onQuestion: () => end.abort(new Error('cancelled')) }),
    ).rejects.toThrow('cancelled');
  });

  test('of the 540 s from the schedule, 30 s are reserved for the report', () => {
    expect(workMs(540_000)).toBe(510_000);
    expect(workMs(10_000)).toBe(5_000);
  });
});

test('the history names a limited number of swept resources and counts the rest', () => {
  const removed: SweptResource[] = many(5_000).map(({ name }) => ({ kind: 'endpoint', name, invocation: idOf(1) }));
  const failed = removed.slice(0, 1_200).map((one) => ({ ...one, reason: 'x'.repeat(500) }));
  const kept = recordable({ removed, failed, spared: 3 });
  expect([kept.removed.length, kept.failed.length, kept.unnamed]).toEqual([
    1_000,
    1_000,
    { removed: 4_000, failed: 200 },
  ]);
  expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThan(1_000_000);
});

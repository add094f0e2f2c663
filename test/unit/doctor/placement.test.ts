import { checkPlacement } from '../../../src/doctor/check-placement';
import { checkReach } from '../../../src/doctor/check-reach';
import type { LeptonClient } from '../../../src/lepton/types';
import { runPlan } from '../../support/plans';

/** What a run names of a node group, and whether its jobs can reach an endpoint of the user's. */

const nodeGroups = { kind: 'known', value: [{ id: 'ng-1', name: 'gpus', volumes: [] }] } as const;

/** A workspace whose only group has these, and that counts the questions. */
function groupWith(lists: { nodes?: string[]; reservations?: string[]; dataSources?: string[] | Error }) {
  const asked: string[] = [];
  const answering =
    (what: string, list: string[] | Error = []) =>
    (id: string): Promise<string[]> => {
      asked.push(`${what} of ${id}`);
      return list instanceof Error ? Promise.reject(list) : Promise.resolve(list);
    };
  const client = {
    listNodeIds: answering('nodes', lists.nodes),
    listReservationIds: answering('reservations', lists.reservations),
    listDataSourceNames: answering('data sources', lists.dataSources),
  } as unknown as LeptonClient;
  return { client, asked };
}

function planned(change: { allowedNodes?: string[]; body?: object }) {
  const plan = runPlan({ outputRoot: '/', tasks: ['a', 'b'] });
  const tasks = plan.tasks.map((task) => ({
    ...task,
    job: { ...task.job, nodeGroup: 'gpus', allowedNodes: change.allowedNodes ?? [], body: { ...change.body } },
  }));
  return { ...plan, tasks };
}

const named = planned({
  allowedNodes: ['n1', 'n9'],
  body: { reservation_config: { reservation_id: 'r1' }, storage_attachments: [{ data_source_name: 'data' }] },
});

test('nodes, reservations and data sources are looked for in the group, once for all jobs', async () => {
  const { client, asked } = groupWith({
    nodes: ['n1', 'n2'],
    reservations: ['r1'],
    dataSources: new Error('no route'),
  });
  const findings = await checkPlacement(client, named, { nodeGroups, timeoutMs: 1 });
  expect(findings.map(({ level, about, message }) => [level, about, message])).toEqual([
    ['ok', 'node', 'n1 (jobs)'],
    ['FAIL', 'node', '"n9" (jobs) is not in node group gpus; it has: n1, n2'],
    ['ok', 'reservation', 'r1 (jobs)'],
    ['warn', 'data source', expect.stringContaining('no route')],
  ]);
  expect(asked).toEqual(['nodes of ng-1', 'reservations of ng-1', 'data sources of ng-1']);
});

test('nothing is asked where nothing is named, or where the group is not known', async () => {
  const { client, asked } = groupWith({});
  expect(await checkPlacement(client, planned({}), { nodeGroups, timeoutMs: 1 })).toEqual([]);
  const unknown = { kind: 'unknown', reason: '', advice: '' } as const;
  expect(await checkPlacement(client, named, { nodeGroups: unknown, timeoutMs: 1 })).toEqual([]);
  expect(asked).toEqual([]);
});

const far = { url: 'https://gw.example/api/v2/workspaces/w' };
const using = (url: string) => {
  const { probe } = runPlan({ outputRoot: '/' }).endpoint;
  return { endpoint: { kind: 'existing', url, probe } as const };
};

test.each([
  '10.1.2.3',
  '172.20.0.1',
  '192.168.0.9',
  '100.64.0.1',
  '[fd00::1]',
  'gpu-box',
  'vllm.default.svc',
  'a.local',
])('the jobs may not reach http://%s, which this machine reaches', (host) => {
  expect(checkReach(using(`http://${host}:8000/v1`), far)).toMatchObject([
    { level: 'warn', message: expect.stringContaining(`${host}:8000 is an address within a network`) },
  ]);
});

test.each(['api.example.com', '172.32.0.1', '11.0.0.1', '100.128.0.1', '[2001:db8::1]'])(
  'but they reach %s',
  (host) => {
    expect(checkReach(using(`https://${host}/v1`), far)).toEqual([]);
  },
);

test('on this machine every address will do', () => {
  expect(checkReach(using('http://10.1.2.3/v1'), { url: 'http://127.0.0.1:80/api/v2/workspaces/w' })).toEqual([]);
});

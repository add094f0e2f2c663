import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDependencies } from '../../../src/activities/dependencies';
import { NotOnThisWorker } from '../../../src/activities/elsewhere';
import { createPreflightActivities } from '../../../src/activities/preflight';
import { failureTypes } from '../../../src/contract/failure-types';
import type { Admission, PreflightInput } from '../../../src/contract/inputs/run';
import { machineDigest } from '../../../src/support/machine-identity';
import { withTime } from '../../support/activity-times';
import { freshFolder } from '../../support/folders';

/** What a worker tries before anything is created. */

let folder: { path: string; dispose: () => Promise<void> };
beforeAll(async () => (folder = await freshFolder('preflight')));
afterAll(() => folder.dispose());

let asked = 0;
const client = {
  storage: {
    available: () => {
      asked += 1;
      return Promise.resolve(true);
    },
  },
};
const dependencies = () =>
  ({
    platform: () => Promise.resolve({ client }),
    hostSecrets: () =>
      Promise.resolve((name: string) => {
        if (name === 'KNOWN') return 'value';
        throw new NotOnThisWorker(`variable ${name} is unknown`);
      }),
    stagingFolder: path.join(folder.path, 'staging'),
    storeEnvironment: () => Promise.resolve({}),
  }) as unknown as ActivityDependencies;

function tried(
  change: Partial<PreflightInput>,
  environment: ActivityDependencies['environment'] = {},
): Promise<Admission> {
  const input: PreflightInput = {
    platform: { kind: 'local', workspace: 'local' },
    invocation: '0123456789abcdef',
    index: 0,
    expected: { variables: ['KNOWN'], machine: machineDigest() },
    place: path.join(folder.path, 'results', '0123456789abcdef'),
    ...change,
  };
  const { preflight } = createPreflightActivities({ ...dependencies(), environment });
  return new MockActivityEnvironment(withTime).run(preflight, input);
}

test('asks the platform once per worker, and leaves nothing behind', async () => {
  await tried({});
  await tried({ place: `file://${folder.path}/shared` });
  expect(asked).toBe(1);
  await mkdir(path.join(folder.path, 'shared'), { recursive: true });
});

test.each<[string, Partial<PreflightInput>, string, RegExp]>([
  [
    'a worker of another machine, without a store',
    { expected: { variables: [], machine: 'another' } },
    failureTypes.runNotAdmitted,
    /not the machine that started the run. Set execution.results_store/,
  ],
  ['an output folder below a file', { place: '/dev/null/results' }, failureTypes.runNotAdmitted, /can't be written/],
  [
    'a shared folder below a file',
    { place: 'file:///dev/null/x' },
    failureTypes.runNotAdmitted,
    /results store \/dev\/null/,
  ],
])('refuses %s', async (_, change, type, message) => {
  await expect(tried(change)).rejects.toMatchObject({ type, message: expect.stringMatching(message) });
});

test('the home that started the run has tried its folder itself', async () => {
  await writeFile(path.join(folder.path, 'file'), '');
  await expect(tried({ expected: { variables: [] }, place: '/dev/null/results' })).resolves.toEqual({});
});

test('says how many endpoints there may be; refuses a run that needs more of them together', async () => {
  const environment = { EVALSAGA_MAX_ENDPOINTS: '3' };
  const expecting = (endpointsTogether: number) => ({ expected: { variables: [], endpointsTogether } });
  expect(await tried(expecting(4))).toEqual({});
  expect(await tried(expecting(3), environment)).toEqual({ maxEndpoints: 3 });
  await expect(tried(expecting(4), environment)).rejects.toMatchObject({
    type: 'RunNotAdmitted',
    message: expect.stringMatching(/needs 4 endpoints .* at most 3 .*max_parallel_endpoints=3/) as string,
  });
});

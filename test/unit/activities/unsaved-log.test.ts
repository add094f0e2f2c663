import { MockActivityEnvironment } from '@temporalio/testing';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ActivityDependencies } from '../../../src/activities/dependencies';
import { finalFailure } from '../../../src/activities/failures';
import { createLogActivities } from '../../../src/activities/logs';
import type { SaveLogInput } from '../../../src/contract/inputs/results';
import { withTime } from '../../support/activity-times';
import { freshFolder } from '../../support/folders';

/** A removal that runs out of time after it has given up the log: the next activity finds no endpoint, and knows why there is no log. */

const input: SaveLogInput = {
  platform: { kind: 'local', workspace: 'w' },
  invocation: '0123456789abcdef',
  index: 0,
  name: 'endpoint-0',
  id: null,
  target: '/nowhere/logs/endpoint.log',
};

test('the note on a log that was given up is told when its endpoint is gone', async () => {
  let asked = 0;
  const dependencies = {
    storeEnvironment: () => Promise.resolve({}),
    platform: () => {
      asked += 1;
      if (asked === 1) throw finalFailure('RequestRefused', 'GET /logs answers 403');
      return Promise.resolve({
        client: { access: { url: 'u' } },
        lookups: { deployment: () => Promise.resolve(undefined) },
      });
    },
  } as unknown as ActivityDependencies;
  const { saveEndpointLog } = createLogActivities(dependencies);
  const call = (name: string) => new MockActivityEnvironment(withTime).run(saveEndpointLog, { ...input, name });
  await expect(call('endpoint-0')).rejects.toThrow('403');
  expect(await call('endpoint-0')).toBe('The log of endpoint endpoint-0 could not be saved: GET /logs answers 403.');
  expect(await call('endpoint-1')).toBeNull();
});

describe('the log of an endpoint that makes room for another one', () => {
  let folder: Awaited<ReturnType<typeof freshFolder>>;
  beforeAll(async () => (folder = await freshFolder('lost-endpoint')));
  afterAll(() => folder.dispose());

  const gone = {
    storeEnvironment: () => Promise.resolve({}),
    platform: () =>
      Promise.resolve({ client: { access: { url: 'u' } }, lookups: { deployment: () => Promise.resolve(undefined) } }),
  } as unknown as ActivityDependencies;
  const save = (attempt: number) => {
    const target = path.join(folder.path, `endpoint-attempt-${attempt}.log`);
    const { saveEndpointLog } = createLogActivities(gone);
    const asked = { ...input, name: 'endpoint-2', target, insteadOf: 'endpoint.log' };
    return new MockActivityEnvironment(withTime).run(saveEndpointLog, asked);
  };

  test('what was saved when it was released is moved, also if that is tried twice', async () => {
    const saved = ['endpoint.log', 'endpoint.log.times.json', 'endpoint.1.log', 'endpoints.log', 'job.log'];
    for (const name of saved) await writeFile(path.join(folder.path, name), name);
    for (const round of [1, 2]) {
      expect([round, await save(1)]).toEqual([round, null]);
      expect((await readdir(folder.path)).sort()).toEqual([
        'endpoint-attempt-1.1.log',
        'endpoint-attempt-1.log',
        'endpoint-attempt-1.log.times.json',
        'endpoints.log',
        'job.log',
      ]);
    }
    expect(await readFile(path.join(folder.path, 'endpoint-attempt-1.1.log'), 'utf8')).toBe('endpoint.1.log');
  });

  test('where nothing was saved, a note says so', async () => {
    expect(await save(2)).toBe('There is no log of endpoint endpoint-2: it was gone before its log was read.');
  });
});

import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDependencies } from '../../../src/activities/dependencies';
import { finalFailure } from '../../../src/activities/failures';
import { createLogActivities } from '../../../src/activities/logs';
import type { SaveLogInput } from '../../../src/contract/inputs/results';
import { withTime } from '../../support/activity-times';

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

import type { Info } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDependencies } from '../../../src/activities/dependencies';
import { createQuotaActivities } from '../../../src/activities/quota';
import type { EndedRuns, LookedForRun } from '../../../src/contract/inputs/run';
import { ownersOf, type Owners } from '../../../src/cleanup/owners';
import { clientThat } from '../../support/activity-client';
import { withTime } from '../../support/activity-times';

/** Whether a killed run of thousands of tasks is over is asked for longer than a heartbeat may be missing. */

jest.mock('../../../src/cleanup/owners', () => ({ ownersOf: jest.fn() }));
jest.mock('../../../src/cleanup/marked', () => ({ markedEndpoints: () => Promise.resolve([]) }));

const dependencies = {
  environment: {},
  platform: () => Promise.resolve({ client: {} }),
} as unknown as ActivityDependencies;
const runOf = (invocation: string): LookedForRun => ({
  invocation,
  ...{ tasks: 2, shared: 0, platform: { kind: 'local', workspace: 'local' }, held: 2, lost: [] },
});
const closed = { kind: 'closed', closedAt: 0 } as const;

const environmentWith = (times: Partial<Info>): MockActivityEnvironment =>
  new MockActivityEnvironment({ ...withTime, ...times }, { client: clientThat() });

function ask(of: Owners['of'], environment: MockActivityEnvironment, names: readonly string[]): Promise<EndedRuns> {
  jest.mocked(ownersOf).mockReturnValue({ of });
  return environment.run(createQuotaActivities(dependencies).endedRuns, { runs: names.map(runOf) });
}

test('it heartbeats while it asks', async () => {
  const environment = environmentWith({ startToCloseTimeoutMs: 200_000, heartbeatTimeoutMs: 100 });
  let beats = 0;
  const asked = new Promise<typeof closed>((resolve) => {
    environment.on('heartbeat', () => (beats += 1) >= 5 && resolve(closed));
    // It would never end.
    setTimeout(() => resolve(closed), 20_000).unref();
  });
  const { findings } = await ask(() => asked, environment, ['large']);
  expect(findings).toEqual([{ kind: 'over', invocation: 'large', endpoints: 0 }]);
  expect(beats).toBeGreaterThanOrEqual(5);
});

test('a run that is not found out about in time keeps its places; the others are told', async () => {
  const environment = environmentWith({ startToCloseTimeoutMs: 2_000 });
  const silent = new Promise<never>(() => undefined);
  const of: Owners['of'] = (invocation) => (invocation === 'silent' ? silent : Promise.resolve(closed));
  const { findings } = await ask(of, environment, ['silent', 'small']);
  expect(findings).toEqual([{ kind: 'over', invocation: 'small', endpoints: 0 }]);
});

import { phaseFromActivities, snapshotFromTemporal } from '../../../src/runs/snapshot-from-temporal';
import { taskOf } from '../../support/snapshots';

test.each([
  ['pending', [], false],
  ['creating endpoint', ['createEndpoint'], true],
  ['awaiting ready', ['awaitEndpointReady'], true],
  ['ready', [], true],
  ['ready', ['watchEndpoint'], true],
  ['running job', ['watchEndpoint', 'awaitJobCompleted'], true],
  ['fetching results', ['removeEndpoint', 'fetchResults'], true],
  ['tearing down', ['removeStorage'], true],
  ['ready', ['anActivityOfALaterVersion'], true],
] as const)('phase %s from the pending activities %j', (phase, pending, hasBegun) => {
  expect(phaseFromActivities(pending, { hasBegun })).toBe(phase);
});

test('usage counts from the start of the workflow for the endpoint, and from the scheduling of its activity for the job', () => {
  const at = (iso: string) => ({ seconds: Date.parse(iso) / 1000 });
  const seen = snapshotFromTemporal(taskOf(), {
    pendingActivities: [
      { activityType: { name: 'awaitJobCompleted' }, scheduledTime: at('2026-01-02T04:00:00.000Z') },
      { activityType: { name: 'watchEndpoint' }, scheduledTime: at('2026-01-02T04:00:00.000Z') },
    ],
    workflowExecutionInfo: { startTime: at('2026-01-02T03:00:00.000Z'), historyLength: 30 },
  } as unknown as Parameters<typeof snapshotFromTemporal>[1]);
  expect(seen).toMatchObject({
    phase: 'running job',
    startedAt: '2026-01-02T03:00:00.000Z',
    usage: {
      endpoint: { from: '2026-01-02T03:00:00.000Z', until: null },
      job: { from: '2026-01-02T04:00:00.000Z', until: null },
    },
  });
});

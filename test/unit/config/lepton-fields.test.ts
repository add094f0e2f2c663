/** The table of Lepton's spec fields fits the config and the code; test/conformance compares it with Lepton's own client. */
import { keysOf, rootShape } from '../../../scripts/docs/outline';
import { endpointFields, endpointStates, jobFields, jobStates } from '../../../scripts/docs/lepton-fields';
import { readDeploymentState } from '../../../src/lepton/endpoint-state';
import { readJobState } from '../../../src/lepton/job-state';

const keys = new Set([...keysOf(rootShape('vllm'))].map(({ path }) => path));

test.each([
  ['endpoints', endpointFields],
  ['jobs', jobFields],
])('the keys that set fields of %s exist', (_, fields) => {
  const named = Object.values(fields).flatMap((source) => ('key' in source ? [source.key] : []));
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((key) => !keys.has(key))).toEqual([]);
});

test.each(Object.entries(endpointStates))('an endpoint in state %p is %s', (state, kind) => {
  const endpoint = { external_endpoint: 'https://ep.example' };
  for (const written of [state, state.toUpperCase()])
    expect(readDeploymentState({ metadata: {}, spec: {}, status: { state: written, endpoint } }).kind).toBe(kind);
});

test.each(Object.entries(jobStates))('a job in state %p is %s', (state, kind) => {
  for (const written of [state, state.toLowerCase()])
    expect(readJobState({ metadata: {}, status: { state: written } }).kind).toBe(kind);
});

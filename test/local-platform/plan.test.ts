import { homePaths } from '../../src/home/paths';
import { startPlatform } from '../../src/local-platform/index';
import { parsePlan, ruleFor } from '../../src/local-platform/runtimes/simulated/plan';
import { momentAt, momentsUntil } from '../../src/local-platform/runtimes/simulated/timeline';

const documented = `
endpoints:                                  # first match wins, else default; durations as 200ms, 2s, 1m
  default: { states: [[Starting, 1s], [Ready]] }
  match: [{ name: '*arc*', states: [[Starting, 500ms], [Error]], message: 'image pull failed' }]
jobs:
  default: { states: [[Queueing, 200ms], [Running, 1s], [Completed]] }
  match: [{ name: '*wino*', states: [[Running, 1s], [Failed]], log: 'CUDA out of memory' }]
faults:                                     # on: METHOD path-glob (below the workspace); name: resource glob; times: n or inf
  - { on: 'POST /deployments', times: 2, respond: 503 }
  - { on: 'POST /deployments', name: '*hella*', times: 1, respond: drop, apply: true }
  - { on: 'DELETE /deployments/*', times: inf, respond: 403 }
  - { on: 'GET /deployments', delay: 6s, times: 3 }
`;

test('the documented plan is valid', () => {
  const plan = parsePlan(documented, 'plan.yaml');
  expect(ruleFor(plan.endpoints, 'ep-arc-1')).toMatchObject({
    states: [
      { state: 'Starting', ms: 500 },
      { state: 'Error', ms: undefined },
    ],
    message: 'image pull failed',
  });
  expect(ruleFor(plan.endpoints, 'other').states.map(({ state }) => state)).toEqual(['Starting', 'Ready']);
  expect(ruleFor(plan.jobs, 'eval-winogrande-2').log).toBe('CUDA out of memory');
  expect(plan.faults.map(({ times, respond, apply, delay }) => ({ times, respond, apply, delay }))).toEqual([
    { times: 2, respond: 503, apply: false, delay: undefined },
    { times: 1, respond: 'drop', apply: true, delay: undefined },
    { times: Infinity, respond: 403, apply: false, delay: undefined },
    { times: 3, respond: undefined, apply: false, delay: 6000 },
  ]);
});

test('the first match wins', () => {
  const plan = parsePlan(
    "jobs: { match: [{ name: 'a*', states: [[One]] }, { name: '*', states: [[Two]] }] }",
    'plan.yaml',
  );
  expect(ruleFor(plan.jobs, 'ab').states[0]?.state).toBe('One');
  expect(ruleFor(plan.jobs, 'b').states[0]?.state).toBe('Two');
});

test('an empty plan lets everything succeed', () => {
  const plan = parsePlan('', 'plan.yaml');
  expect(plan.endpoints.default.states.at(-1)?.state).toBe('Ready');
  expect(plan.jobs.default.states.at(-1)?.state).toBe('Completed');
  expect(parsePlan('jobs: { match: [] }', 'x').jobs.default.states.at(-1)?.state).toBe('Completed');
});

test.each([
  ['endpoint: {}', 'plan.yaml:1:1: plan: unknown key "endpoint"'],
  [
    'jobs:\n  default:\n    states:\n      - [Running, 1x]\n      - [Completed]',
    'plan.yaml:4:9: jobs.default.states.0: "1x" is not a duration',
  ],
  [
    'jobs: { default: { states: [[Running], [Completed]] } }',
    'plan.yaml:1:29: jobs.default.states.0: Running needs a duration',
  ],
  ['jobs: { default: { states: [] } }', 'jobs.default.states: name at least one state'],
  ['jobs: { match: [{ states: [[A]] }] }', 'plan.yaml:1:17: jobs.match.0.name: '],
  ["faults:\n- { on: 'POST', respond: 500 }", 'plan.yaml:2:9: faults.0.on: "POST" is not a method'],
  ["faults:\n- { on: 'FETCH /a', respond: 500 }", '"FETCH /a" is not a method'],
  ["faults:\n- { on: 'GET /a' }", 'faults.0: a fault needs respond'],
  ["faults:\n- { on: 'GET /a', respond: 999 }", 'faults.0.respond: '],
  ["faults:\n- { on: 'GET /a', respond: 500, times: 0 }", 'faults.0.times: '],
  ['jobs: {\n  a', 'plan.yaml:'],
])('%j is refused with the position', (text, message) => {
  expect(() => parsePlan(text, 'plan.yaml')).toThrow(message);
});

test('a missing plan file is named in the error', async () => {
  const home = homePaths({ EVALSAGA_HOME: '/nonexistent/evalsaga' });
  await expect(startPlatform({ runtime: 'simulated', port: 0, home, plan: '/nonexistent/plan.yaml' })).rejects.toThrow(
    /plan \/nonexistent\/plan\.yaml can't be read/,
  );
});

test('a timeline advances at its times and stays at its last state', () => {
  const steps = [
    { state: 'A', ms: 100, message: undefined },
    { state: 'B', ms: 50, message: undefined },
    { state: 'C', ms: undefined, message: undefined },
  ];
  const at = (elapsed: number) => momentAt(steps, elapsed).step.state;
  expect([0, 99, 100, 149, 150, 1e9].map(at)).toEqual(['A', 'A', 'B', 'B', 'C', 'C']);
  expect(momentsUntil(steps, 150).map(({ since, isLast }) => [since, isLast])).toEqual([
    [0, false],
    [100, false],
    [150, true],
  ]);
});

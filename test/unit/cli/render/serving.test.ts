import { servingText } from '../../../../src/cli/render/serving';
import { judgeServing, type Build } from '../../../../src/stack/pollers';

/** workers are there, and yet a run waits: with worker versioning, not each of them may carry it on. */

const a = { deploymentName: 'evals', buildId: 'a' };
const b = { deploymentName: 'evals', buildId: 'b' };
const told = (seen: { present: Build[]; current: Build[]; own?: typeof a }): string | undefined =>
  servingText(judgeServing({ ...seen, own: seen.own }), { taskQueue: 'queue', program: 'evalsaga' });

test.each<[string, Parameters<typeof told>[0]]>([
  ['workers of no build, where none is current', { present: ['unversioned'], current: ['unversioned'] }],
  ['a worker of the current build', { present: ['unversioned', a], current: [a] }],
  ['a worker of the build that it began on', { present: [a, b], current: [b], own: a }],
  ['a worker of the build that is being ramped up', { present: [b], current: [a, b] }],
])('served: %s', (_, seen) => {
  expect(told(seen)).toBeUndefined();
});

test.each<[string, Parameters<typeof told>[0], string]>([
  [
    'no worker at all',
    { present: [], current: [a] },
    'nobody serves task queue "queue", so the run waits; it goes on with: evalsaga up',
  ],
  [
    'the first build, which nobody has made current',
    { present: [a, a], current: ['unversioned'] },
    'task queue "queue" is served by workers of build "a" of deployment "evals" only, and no build is current, so the run waits; it goes on with: temporal worker deployment set-current-version --deployment-name evals --build-id a',
  ],
  [
    'a new build, with the old one still current',
    { present: [b], current: [a] },
    'task queue "queue" is served by workers of build "b" of deployment "evals" only, but current is build "a" of deployment "evals", so the run waits; it goes on with: temporal worker deployment set-current-version --deployment-name evals --build-id b',
  ],
  [
    'its own build has gone',
    { present: [b], current: [b], own: a },
    'task queue "queue" is served by workers of build "b" of deployment "evals" only, but the run has begun on build "a" of deployment "evals", so it waits; it goes on with a worker of that build: EVALSAGA_DEPLOYMENT_NAME=evals EVALSAGA_BUILD_ID=a evalsaga worker',
  ],
  [
    'workers of no build, where a build is current',
    { present: ['unversioned'], current: [a] },
    'task queue "queue" is served by workers of no build only, but Temporal gives what begins to build "a" of deployment "evals", so the run waits; it goes on with a worker of that.',
  ],
])('not served: %s', (_, seen, text) => {
  expect(told(seen)).toBe(text);
});

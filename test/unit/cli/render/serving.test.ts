import { servingText } from '../../../../src/cli/render/serving';
import { judgeServing, ownBuild, type Build } from '../../../../src/stack/pollers';

/** A run can wait although there are workers: with worker versioning, not every worker may continue it. */

const a = { deploymentName: 'evals', buildId: 'a' };
const b = { deploymentName: 'evals', buildId: 'b' };
const told = (seen: { present: Build[]; current: Build[]; own?: typeof a }): string | undefined =>
  servingText(judgeServing({ ...seen, own: seen.own }), { taskQueue: 'queue', program: 'evalsaga' });

test.each<[string, Parameters<typeof told>[0]]>([
  ['unversioned workers while no build is current', { present: ['unversioned'], current: ['unversioned'] }],
  ['a worker of the current build', { present: ['unversioned', a], current: [a] }],
  ['a worker of the build that the run began on', { present: [a, b], current: [b], own: a }],
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
    'the first build, not made current yet',
    { present: [a, a], current: ['unversioned'] },
    'task queue "queue" is served by workers of build "a" of deployment "evals" only, and no build is current, so the run waits; it goes on with: temporal worker deployment set-current-version --deployment-name evals --build-id a',
  ],
  [
    'a new build, with the old one still current',
    { present: [b], current: [a] },
    'task queue "queue" is served by workers of build "b" of deployment "evals" only, but current is build "a" of deployment "evals", so the run waits; it goes on with: temporal worker deployment set-current-version --deployment-name evals --build-id b',
  ],
  [
    "no worker of the run's own build",
    { present: [b], current: [b], own: a },
    'task queue "queue" is served by workers of build "b" of deployment "evals" only, but the run has begun on build "a" of deployment "evals", so it waits; it goes on with a worker of that build: EVALSAGA_DEPLOYMENT_NAME=evals EVALSAGA_BUILD_ID=a evalsaga worker. If it can\'t come back, give the run to another build: docs/changing-workflows.md',
  ],
  [
    'unversioned workers while a build is current',
    { present: ['unversioned'], current: [a] },
    'task queue "queue" is served by workers of no build only, but Temporal gives what begins to build "a" of deployment "evals", so the run waits; it goes on with a worker of that.',
  ],
])('not served: %s', (_, seen, text) => {
  expect(told(seen)).toBe(text);
});

test.each([
  ['has begun on a build', { deploymentVersion: a }, a],
  ['was given to another build', { deploymentVersion: a, versioningOverride: { pinned: { version: b } } }, b],
  [
    'was given to whichever build is current',
    { deploymentVersion: a, versioningOverride: { autoUpgrade: true } },
    undefined,
  ],
  ['belongs to no build', {}, undefined],
])('a run that %s', (_, info, own) => {
  expect(ownBuild(info)).toEqual(own);
});

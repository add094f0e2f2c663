import { createLeptonClient } from '../../src/lepton/client';
import { createLookups } from '../../src/lepton/coalesced';
import { testPlatform, type TestPlatform } from './test-platform';

let platform: TestPlatform;
beforeAll(async () => {
  platform = await testPlatform({
    plan: `
endpoints: { default: { states: [[Starting, 300ms], [Ready]] } }
jobs: { default: { states: [[Running, 600ms], [Completed]], results: false } }
`,
  });
});
afterAll(() => platform.dispose());

const container = { image: 'i', command: ['c'] };

test('states that change are announced: whoever waits for them reads one listing per change, not one per interval', async () => {
  const client = createLeptonClient(platform);
  // Without announcements nothing would be noticed within the test's time.
  const lookups = createLookups(client, { sharedForMs: 40 });
  const changed = (kind: 'deployments' | 'jobs', key: string): Promise<void> =>
    new Promise((resolve) => {
      const end = lookups.onChange(kind, key, () => {
        end();
        resolve();
      });
    });
  const stateOf = async (id: string) => (await lookups.job(id))?.status?.state;

  await client.createDeployment({ name: 'ep', spec: { container, resource_requirement: {} } });
  const { id = '' } = (await client.createJob({ name: 'eval', spec: { container } })).metadata;
  while ((await lookups.deployment('ep'))?.status?.state !== 'Ready') await changed('deployments', 'ep');
  while ((await stateOf(id)) !== 'Completed') await changed('jobs', id);
  await client.deleteJob(id);
  while ((await lookups.jobsNamed('eval')).length > 0) await changed('jobs', id);

  type Seen = { method: string; path: string };
  const seen = (await platform.sim('/requests')) as Seen[];
  const listings = seen.filter(({ method, path }) => method === 'GET' && /^\/(deployments|jobs)(\?|$)/.test(path));
  expect(listings.length).toBeLessThanOrEqual(16);
});

test('revisions stay the same as long as nothing changes, and a held question is answered at its end', async () => {
  const first = (await platform.sim('/changes')) as { deployments: string; jobs: string };
  const same = await platform.sim(`/changes?deployments=${first.deployments}&jobs=${first.jobs}&wait_ms=100`);
  expect(same).toEqual(first);
  expect(await platform.sim('/changes?deployments=old&jobs=old&wait_ms=60000')).toEqual(first);
});

test('a platform on another machine is not asked', async () => {
  const remote = createLeptonClient({ url: 'https://gateway.invalid/api/v2/workspaces/w', workspace: 'w', token: 't' });
  expect(await remote.nextChange(undefined)).toBeUndefined();
});

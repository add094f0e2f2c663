import { createLeptonClient } from '../../src/lepton/client';
import { createLimiter } from '../../src/lepton/limiter';
import { testPlatform } from './test-platform';

test('of many tasks that are refused together, each is refused at most once, and none asks before it may', async () => {
  const platform = await testPlatform({
    plan: `
endpoints: { default: { states: [[Ready]] } }
faults:
- { on: 'GET /deployments/*', times: 8, respond: 429, retry_after: 1 }
`,
  });
  try {
    const clients = [1, 2].map(() => platform);
    const limiter = createLimiter();
    // Two clients, as of two runs of one worker.
    const [one, other] = clients.map((access) => createLeptonClient(access, { limiter, retry: { withinMs: 60_000 } }));
    if (!one || !other) throw new Error('two clients');
    await one.createDeployment({ name: 'ep', spec: { container: { image: 'i' }, resource_requirement: {} } });
    const asked = Array.from({ length: 16 }, (_, at) => (at % 2 ? one : other).getDeployment('ep'));
    const found = await Promise.all(asked);
    expect(found.map((deployment) => deployment?.metadata.name)).toEqual(Array(16).fill('ep'));

    type Seen = { at: string; method: string; path: string; status: number };
    const seen = ((await platform.sim('/requests')) as Seen[]).filter(({ path }) => path === '/deployments/ep');
    const refused = seen.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(8);
    // All others were on their way; after these a pause as long as the platform asked for, and no refusal any more.
    expect(seen.slice(16).map(({ status }) => status)).toEqual(Array(8).fill(200));
    const last = Math.max(...refused.map(({ at }) => Date.parse(at)));
    expect(Date.parse(seen[16]?.at ?? '') - last).toBeGreaterThan(900);
  } finally {
    await platform.dispose();
  }
});

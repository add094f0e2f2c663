import { writeFile } from 'node:fs/promises';
import { admitRun, RunNotAdmitted } from '../../src/doctor/admission';
import { checkDisk } from '../../src/doctor/check-machine';
import { examine } from '../../src/doctor/doctor';
import type { Finding } from '../../src/doctor/finding';
import type { RunPlan } from '../../src/contract/plan';
import { homePaths } from '../../src/home/paths';
import { createLeptonClient } from '../../src/lepton/client';
import { findServerBinary } from '../../src/stack/server-binary';
import { testCache } from '../support/folders';
import { sendJson, startServer, type TestServer } from '../support/http-server';
import { runPlan } from '../support/plans';
import { testPlatform, type TestPlatform } from './test-platform';

/** Tests the doctor and the admission check against a local platform configured as a Lepton workspace. */

let platform: TestPlatform;
afterEach(() => platform.dispose());

const planWith = (job: Partial<RunPlan['tasks'][number]['job']> = {}): RunPlan => {
  const bare = runPlan({ outputRoot: '/out', tasks: ['one'] });
  return { ...bare, tasks: bare.tasks.map((task) => ({ ...task, job: { ...task.job, ...job } })) };
};
const secret = { envs: [{ name: 'HF_TOKEN', secret: { kind: 'workspace', name: 'HUB' } }] } as const;

const admit = async (plan: RunPlan, expiresAt?: Date) => {
  const access = { url: platform.url, workspace: platform.workspace, token: platform.token, source: 'the test' };
  return admitRun({ plan, access, expiresAt, client: createLeptonClient(access), binding: true });
};

describe('before anything is created', () => {
  test('a run is admitted if the workspace has everything, with few requests', async () => {
    platform = await testPlatform();
    await platform.json('POST', '/usersecrets', [{ name: 'HUB', value: 'x' }]);
    expect(await admit(planWith({ ...secret, nodeGroup: 'local' }))).toEqual([]);
    const requests = (await platform.sim('/requests')) as { method: string; path: string }[];
    const gets = requests.filter(({ method }) => method === 'GET').map(({ path: at }) => at);
    expect(gets.sort()).toEqual(['/dedicated-node-groups', '/shapes', '/tokens', '/usersecrets', '/workspace']);
  });

  test('everything that is missing is reported at once', async () => {
    platform = await testPlatform();
    const refused = admit(planWith({ ...secret, nodeGroup: 'nowhere', body: { resource_shape: 'cpu.smal' } }));
    await expect(refused).rejects.toThrow(RunNotAdmitted);
    await expect(refused).rejects.toThrow(
      /nothing was created[^]*"nowhere" \(job\)[^]*no secret "HUB"[^]*no shape "cpu.smal" \(job\); the nearest is "cpu.small"/,
    );
    const requests: { method: string }[] = await platform.sim('/requests');
    expect(requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  test('invalid names of images and volumes are refused too', async () => {
    platform = await testPlatform();
    const mounts = [{ from: 'shared-fs', path: '/p', mount_path: '/m' }];
    const refused = admit(planWith({ container: { image: 'a//b', command: ['true'] }, mounts }));
    await expect(refused).rejects.toThrow(
      /nothing was created[^]*image: "a\/\/b" \(job\) is not an image name[^]*"shared-fs" names no volume/,
    );
  });

  test('a paused workspace causes a warning', async () => {
    platform = await testPlatform({
      plan: `faults: [{ on: 'GET /workspace', times: inf, respond: 200, body: { workspace_state: paused } }]`,
    });
    expect(await admit(planWith())).toEqual([expect.stringMatching(/is paused: nothing starts there/)]);
  });

  test.each([
    ['GET /usersecrets', 403],
    ['GET /dedicated-node-groups', 404],
    ['GET /tokens', 500],
    ['GET /shapes', 501],
  ])('a workspace that answers %s with %d does not block the run', async (on, respond) => {
    platform = await testPlatform({ plan: `faults: [{ on: '${on}', times: inf, respond: ${respond} }]` });
    const missing = on.includes('secrets') ? secret : on.includes('groups') ? { nodeGroup: 'nowhere' } : {};
    expect(await admit(planWith(missing))).toEqual([]);
  });

  test('a workspace that does not answer does not block the run', async () => {
    platform = await testPlatform({ plan: "faults: [{ on: 'GET /usersecrets', times: inf, delay: 20s }]" });
    expect(await admit(planWith(secret))).toEqual([]);
  });

  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);

  test('a token that expires soon causes a warning, an expired one a refusal', async () => {
    platform = await testPlatform({ plan: "faults: [{ on: 'GET /tokens', times: inf, respond: 404 }]" });
    expect(await admit(planWith(), inDays(2.5))).toEqual([expect.stringMatching(/from the test expires in 2 days/)]);
    await expect(admit(planWith(), inDays(-1))).rejects.toThrow(/from the test expired at .* Nothing was created/);
  });
});

describe('the doctor', () => {
  const look = async (plan: RunPlan | undefined, env: Record<string, string> = {}): Promise<Finding[]> => {
    const access = {
      LEPTON_WORKSPACE_ID: platform.workspace,
      LEPTON_WORKSPACE_TOKEN: platform.token,
      LEPTON_WORKSPACE_URL: platform.url,
    };
    const home = homePaths({ EVALSAGA_HOME: `${platform.root}/home` });
    const around = { PATH: process.env['PATH'], ...access, ...env };
    const findings = await examine({ home, env: around, wish: 'auto', plan, secrets: {} });
    // Every FAIL must say what to do.
    expect(findings.filter(({ level, advice }) => level === 'FAIL' && advice === '')).toEqual([]);
    return findings;
  };
  const said = (findings: readonly Finding[], about: string) => findings.filter((finding) => finding.about === about);

  test('checks the whole workspace and creates nothing', async () => {
    platform = await testPlatform();
    const findings = await look(planWith(secret));
    expect([...new Set(findings.map(({ about }) => about))]).toEqual([
      ...[
        'home',
        'temporal',
        'ports',
        'platform',
        'credentials',
        'token',
        'shape',
        'node group',
        'quota',
        'secret',
        'image',
        'mount',
        'storage',
        'results',
      ],
    ]);
    expect(said(findings, 'credentials')[0]?.message).toMatch(
      /^workspace local at http.*from LEPTON_WORKSPACE_TOKEN; it is a simulated one/,
    );
    expect(said(findings, 'storage')).toMatchObject([{ level: 'ok', message: expect.stringContaining('storage API') }]);
    expect(findings.filter(({ level }) => level === 'FAIL')).toMatchObject([{ about: 'secret', blame: 'config' }]);
    const requests: { method: string }[] = await platform.sim('/requests');
    expect(requests.every(({ method }) => method === 'GET' || method === 'HEAD')).toBe(true);
  });

  test('a refused token and an unreachable address are one FAIL each, with advice', async () => {
    platform = await testPlatform();
    const closed = await startServer(() => undefined);
    await closed.close();
    for (const [env, message, advice] of [
      [{ LEPTON_WORKSPACE_TOKEN: 'wrong' }, /401.*log in again/, /token is valid/],
      [{ LEPTON_WORKSPACE_URL: `${closed.url}/api/v2/workspaces/local` }, /connection refused/, /LEPTON_WORKSPACE_URL/],
    ] as const) {
      const failures = (await look(planWith(), env)).filter(({ level }) => level === 'FAIL');
      expect(failures).toMatchObject([
        { about: 'credentials', message: expect.stringMatching(message), advice: expect.stringMatching(advice) },
      ]);
    }
  });

  test('an expired token is one FAIL, one that expires soon a warning, both with advice', async () => {
    const tokens = (days: number) => {
      const at = Date.now() + days * 86_400_000;
      return `faults: [{ on: 'GET /tokens', times: inf, respond: 200, body: [{ masked_value: 'given...token', expires_at: ${at} }] }]`;
    };
    const withToken = async (days: number) => {
      platform = await testPlatform({ plan: tokens(days), token: 'given-long-token' });
      return said(await look(planWith()), 'token');
    };
    expect(await withToken(-1)).toMatchObject([
      { level: 'FAIL', message: expect.stringMatching(/expired at/), advice: expect.stringContaining('lep login') },
    ]);
    await platform.dispose();
    expect(await withToken(3.5)).toMatchObject([
      {
        level: 'warn',
        message: expect.stringContaining('expires in 3 days'),
        advice: expect.stringContaining('lep login'),
      },
    ]);
    await platform.dispose();
    expect(await withToken(400)).toMatchObject([{ level: 'ok', message: expect.stringContaining('valid until') }]);
  });

  test('Temporal: not started yet, not answering, missing command, broken profile', async () => {
    platform = await testPlatform();
    const closed = await startServer(() => undefined);
    await closed.close();
    const address = { TEMPORAL_ADDRESS: new URL(closed.url).host };
    expect(said(await look(undefined, address), 'temporal')).toMatchObject([
      { level: 'FAIL', advice: expect.stringContaining('check TEMPORAL_ADDRESS') },
    ]);
    const command = { TEMPORAL_CLI_PATH: `${platform.root}/nowhere` };
    expect(said(await look(undefined, command), 'temporal')).toMatchObject([
      { level: 'FAIL', message: expect.stringContaining('nowhere'), advice: expect.stringContaining('unset it') },
    ]);
    const profile = { TEMPORAL_CONFIG_FILE: `${platform.root}/temporal.toml` };
    await writeFile(profile.TEMPORAL_CONFIG_FILE, '[profile.default\n');
    expect(said(await look(undefined, profile), 'temporal')).toMatchObject([
      { level: 'FAIL', message: expect.stringContaining('temporal.toml'), advice: expect.stringContaining('unset') },
    ]);
    const real = {
      TEMPORAL_CLI_PATH: await findServerBinary({ home: homePaths({ EVALSAGA_HOME: testCache }), env: process.env }),
    };
    expect(said(await look(undefined, real), 'temporal')).toMatchObject([
      { level: 'ok', message: expect.stringContaining('will be started from') },
    ]);
  });

  test('incomplete credentials are a FAIL', async () => {
    platform = await testPlatform();
    const findings = await look(undefined, { LEPTON_WORKSPACE_ID: '' });
    expect(said(findings, 'credentials')).toMatchObject([
      {
        level: 'FAIL',
        message: expect.stringContaining('LEPTON_WORKSPACE_ID is not'),
        advice: expect.stringContaining('--platform local'),
      },
    ]);
  });

  test('a missing key file is a FAIL', async () => {
    platform = await testPlatform();
    const findings = await look(undefined, { EVALSAGA_ENCRYPTION_KEY_FILE: `${platform.root}/nowhere` });
    expect(said(findings, 'encryption')).toMatchObject([
      { level: 'FAIL', message: expect.stringContaining('nowhere'), advice: expect.stringContaining('unset') },
    ]);
  });

  test('this machine is checked when runs happen on it', async () => {
    platform = await testPlatform();
    const none = { LEPTON_WORKSPACE_ID: '', LEPTON_WORKSPACE_TOKEN: '', LEPTON_WORKSPACE_URL: '', HOME: platform.root };
    const findings = await look(undefined, { ...none, LEPTON_CACHE_DIR: platform.root });
    expect(said(findings, 'python')).toMatchObject([{ level: 'ok' }]);
    expect(said(findings, 'disk')).toMatchObject([{ message: expect.stringContaining('GB free') }]);
    expect(said(findings, 'local software')).toMatchObject([
      { level: 'warn', message: expect.stringContaining('evaluation harness') },
    ]);
    expect(said(findings, 'local platform')).toMatchObject([{ level: 'ok' }]);
  });

  test('a home on a full disk is a warning, an unwritable one a FAIL', async () => {
    platform = await testPlatform();
    expect(await checkDisk({ root: platform.root }, 1)).toMatchObject([{ level: 'ok' }]);
    expect(await checkDisk({ root: platform.root }, 1e18)).toMatchObject([
      {
        level: 'warn',
        message: expect.stringContaining('may be needed'),
        advice: expect.stringContaining('free some space'),
      },
    ]);
    expect(await checkDisk({ root: '/dev/null/home' }, 1)).toMatchObject([
      {
        level: 'FAIL',
        message: expect.stringContaining("can't be used"),
        advice: expect.stringContaining('EVALSAGA_HOME'),
      },
    ]);
  });

  describe('an existing endpoint', () => {
    let server: TestServer;
    afterEach(() => server.close());
    const at = (url: string): RunPlan => {
      const bare = planWith();
      const probe = { ...bare.endpoint.probe, healthPath: null };
      return { ...bare, endpoint: { kind: 'existing', url, probe } };
    };

    test('is ok if it serves the model, and a FAIL if it serves another', async () => {
      platform = await testPlatform();
      server = await startServer((_, response) => sendJson(response, { data: [{ id: 'test/model' }] }));
      const found = await look(at(`${server.url}/v1/completions`));
      expect(said(found, 'endpoint')).toMatchObject([
        { level: 'ok', message: expect.stringContaining('serves test/model') },
      ]);
      await server.close();
      server = await startServer((_, response) => sendJson(response, { data: [{ id: 'other' }] }));
      const other = await look(at(`${server.url}/v1/completions`));
      expect(said(other, 'endpoint')).toMatchObject([
        { level: 'FAIL', message: expect.stringContaining('serves "other"') },
      ]);
    });

    test('is a FAIL if it is down, and ok if only the workspace knows its key', async () => {
      platform = await testPlatform();
      server = await startServer((_, response) => sendJson(response, {}, 401));
      const plan = at(`${server.url}/v1/completions`);
      const token = { kind: 'workspace', name: 'KEY' } as const;
      const guarded = { ...plan, endpoint: { ...plan.endpoint, probe: { ...plan.endpoint.probe, token } } } as RunPlan;
      expect(said(await look(guarded), 'endpoint')).toMatchObject([
        { level: 'ok', message: expect.stringMatching(/answers; its key is a workspace secret/) },
      ]);
      expect(said(await look(plan), 'endpoint')).toMatchObject([
        { level: 'FAIL', message: expect.stringMatching(/requires a key \(401\).*api_key_name/) },
      ]);
      await server.close();
      expect(said(await look(plan), 'endpoint')).toMatchObject([
        {
          level: 'FAIL',
          message: expect.stringContaining('connection refused'),
          advice: expect.stringContaining('start it'),
        },
      ]);
    });
  });
});

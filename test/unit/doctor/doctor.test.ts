import { checkWorkspace, expiryFinding } from '../../../src/doctor/check-credentials';
import { checkExposure } from '../../../src/doctor/check-exposure';
import { checkImages, readImage } from '../../../src/doctor/check-images';
import { checkQuota } from '../../../src/doctor/check-quota';
import { checkMounts, storageFinding } from '../../../src/doctor/check-storage';
import { deadServices } from '../../../src/doctor/check-temporal';
import { findingText, misfit, ok, type Answer } from '../../../src/doctor/finding';
import { needsOf } from '../../../src/doctor/needs';
import type { WorkspaceAnswers } from '../../../src/doctor/workspace-answers';
import { checkNodeGroups, checkSecrets, checkShapes } from '../../../src/doctor/workspace-checks';
import type { RunPlan } from '../../../src/contract/plan';
import type { WorkspaceInfo } from '../../../src/lepton/types';
import { runPlan } from '../../support/plans';

const plan = (change: (plan: RunPlan) => RunPlan = (same) => same): RunPlan =>
  change(runPlan({ outputRoot: '/out', tasks: ['one', 'two'] }));
const known = <T>(value: T): Answer<T> => ({ kind: 'known', value });
const unknown = { kind: 'unknown', reason: '403 Forbidden', advice: 'use another token' } as const;
const info = (more: Record<string, unknown> = {}): Answer<WorkspaceInfo> =>
  known({ workspace_name: 'w', workspace_state: 'normal', supported_shapes: {}, ...more });
const answers = (change: Partial<WorkspaceAnswers> = {}): WorkspaceAnswers => ({
  info: info(),
  nodeGroups: known([]),
  secretNames: known([]),
  shapeNames: known([]),
  ...change,
});
const levels = (findings: readonly { level: string }[]) => findings.map(({ level }) => level);

const ofJobs = (change: Partial<RunPlan['tasks'][number]['job']>) =>
  plan((bare) => ({ ...bare, tasks: bare.tasks.map((task) => ({ ...task, job: { ...task.job, ...change } })) }));

test('who asks for what is said briefly', () => {
  expect(needsOf(plan()).shapes).toEqual([
    { name: 'gpu.1xh200', by: 'endpoints' },
    { name: 'cpu.small', by: 'jobs' },
  ]);
  expect(needsOf(plan()).mounts).toMatchObject([{ by: 'jobs', mount: { from: 'node-local' } }]);
});

describe('credentials', () => {
  const access = { url: 'https://gw/w', workspace: 'ws1', token: 't', source: 'lep login' };

  test('which workspace, and from where', () => {
    expect(checkWorkspace(access, info({ workspace_name: 'Team One' }))).toEqual(
      ok('credentials', 'workspace ws1 at https://gw/w ("Team One"), from lep login'),
    );
    expect(checkWorkspace(access, info({ workspace_state: 'brand new' })).level).toBe('warn');
  });

  test('a workspace that is paused, and one that does not answer', () => {
    expect(checkWorkspace(access, info({ workspace_state: 'paused' }))).toMatchObject({
      level: 'warn',
      message: expect.stringContaining('is paused: nothing starts there'),
      advice: expect.stringContaining('admin'),
    });
    expect(checkWorkspace(access, unknown)).toMatchObject({
      level: 'FAIL',
      blame: 'surroundings',
      message: 'workspace ws1 at https://gw/w: 403 Forbidden',
    });
  });
});

describe('secrets', () => {
  const withSecret = ofJobs({ envs: [{ name: 'HF_TOKEN', secret: { kind: 'workspace', name: 'HUB' } }] });
  const wanted = needsOf(withSecret);

  test('one that is there, one that is not, with the nearest', () => {
    expect(checkSecrets(wanted, answers({ secretNames: known(['HUB']) }))).toEqual([ok('secret', 'HUB (jobs)')]);
    expect(checkSecrets(wanted, answers({ secretNames: known(['HUBB']) }))).toMatchObject([
      {
        level: 'FAIL',
        blame: 'config',
        message: expect.stringContaining('no secret "HUB" (jobs); it has "HUBB"'),
        advice: expect.stringContaining('lep secret create -n HUB'),
      },
    ]);
  });

  test('a missing answer is a warning, never a refusal', () => {
    expect(checkSecrets(wanted, answers({ secretNames: unknown }))).toMatchObject([
      { level: 'warn', message: expect.stringContaining('403 Forbidden'), advice: expect.stringContaining('HUB') },
    ]);
    expect(levels(checkSecrets(needsOf(plan()), answers({ secretNames: unknown })))).toEqual(['ok']);
  });

  test('a token that endpoints refer to is a warning: where the service keeps tokens is a guess', () => {
    const tokens = plan((bare) => {
      if (bare.endpoint.kind !== 'dedicated') return bare;
      const spec = { ...bare.endpoint.spec, apiTokens: [{ kind: 'workspace', name: 'KEY' } as const] };
      return { ...bare, endpoint: { ...bare.endpoint, spec } };
    });
    expect(checkSecrets(needsOf(tokens), answers())).toMatchObject([
      { level: 'warn', message: expect.stringContaining('"KEY" (endpoints)') },
    ]);
  });
});

describe('node groups', () => {
  const wanted = needsOf(ofJobs({ nodeGroup: 'gpu' }));
  const group = (id: string, name: string) => ({ id, name, volumes: [] });

  test('by name, by id, or not at all', () => {
    expect(levels(checkNodeGroups(wanted, answers({ nodeGroups: known([group('x', 'gpu')]) })))).toEqual(['ok']);
    expect(levels(checkNodeGroups(wanted, answers({ nodeGroups: known([group('gpu', 'x')]) })))).toEqual(['ok']);
    expect(checkNodeGroups(wanted, answers({ nodeGroups: known([group('a-1', 'a'), group('b', 'b')]) }))).toMatchObject(
      [{ level: 'FAIL', blame: 'config', message: '"gpu" (jobs) is not in this workspace; it has: a (a-1), b' }],
    );
    expect(levels(checkNodeGroups(wanted, answers({ nodeGroups: unknown })))).toEqual(['warn']);
  });
});

describe('shapes', () => {
  const wanted = needsOf(plan());
  const binding = { binding: true };

  test('listed by the workspace or by its node groups, in whatever letters', () => {
    const listed = answers({
      info: info({ supported_shapes: { 'CPU.small': {} } }),
      shapeNames: known(['gpu.1xh200']),
    });
    expect(levels(checkShapes(wanted, listed, binding))).toEqual(['ok', 'ok']);
  });

  test('one that is in no list is refused with the nearest, where the list binds', () => {
    const listed = answers({ shapeNames: known(['gpu.1xh100', 'cpu.small']) });
    const [shape] = checkShapes(wanted, listed, binding);
    expect(shape).toMatchObject({ level: 'FAIL', message: expect.stringContaining('the nearest is "gpu.1xh100"') });
    expect(levels(checkShapes(wanted, listed, { binding: false }))).toEqual(['warn', 'ok']);
  });

  test('a workspace that lists none refuses none', () => {
    expect(levels(checkShapes(wanted, answers({ info: unknown, shapeNames: unknown }), binding))).toEqual(['ok']);
  });
});

describe('quota', () => {
  const shapes = { 'gpu.1xh200': { cpu: 22, memory: 1000, accelerator_num: 1 }, 'cpu.small': { cpu: 1, memory: 10 } };
  const quota = (limit: object, used: object) => info({ supported_shapes: shapes, resource_quota: { limit, used } });
  const none = { cpu: 0, memory: 0, accelerator_num: 0 };

  test('all endpoints at once are counted, as many as may be there at once', () => {
    const tight = quota({ cpu: 100, memory: 10_000, accelerator_num: 8 }, { ...none, accelerator_num: 7 });
    expect(checkQuota(needsOf(plan()), tight)).toMatchObject([
      { level: 'warn', message: expect.stringContaining('2 accelerators, 1 of 8 are left') },
    ]);
    const oneByOne = needsOf(plan((bare) => ({ ...bare, maxParallelEndpoints: 1 })));
    expect(levels(checkQuota(oneByOne, tight))).toEqual(['ok']);
  });

  test('no quota, or none told', () => {
    expect(checkQuota(needsOf(plan()), quota(none, none))).toEqual([ok('quota', 'the workspace has none')]);
    expect(checkQuota(needsOf(plan()), info())).toEqual([ok('quota', 'the workspace has none')]);
  });
});

describe('images', () => {
  test.each([
    ['vllm/vllm-openai:latest', { registry: undefined, path: 'vllm/vllm-openai', tag: 'latest' }],
    ['nvcr.io/nvidia/eval-factory/lm-evaluation-harness:26.03', { registry: 'nvcr.io', tag: '26.03' }],
    ['localhost:5000/a/b', { registry: 'localhost:5000', path: 'a/b', tag: undefined }],
    [`a/b@sha256:${'0'.repeat(64)}`, { path: 'a/b', digest: `sha256:${'0'.repeat(64)}` }],
  ])('%s', (text, parts) => expect(readImage(text)).toMatchObject(parts));

  test.each(['Vllm/Openai', 'a//b', 'a/b:', 'a/b:tag:tag', 'a b', '', 'a/b@sha256:12', 'https://nvcr.io/a'])(
    '"%s" is none',
    (text) => expect(readImage(text)).toBeUndefined(),
  );

  test('a name that is none is refused, as the config is to blame', () => {
    const container = { image: 'Not An Image', command: ['true'] };
    const [endpoints, jobs] = checkImages(needsOf(ofJobs({ container })), info());
    expect(endpoints).toEqual(ok('image', 'vllm/vllm-openai:latest (endpoints)'));
    expect(jobs).toMatchObject({
      level: 'FAIL',
      blame: 'config',
      advice: expect.stringContaining('registry/path:tag'),
    });
  });

  test('a registry that requires a login, and pull secrets that do not exist', () => {
    const container = { image: 'nvcr.io/my-org/private:1', command: ['true'] };
    const [, finding] = checkImages(needsOf(ofJobs({ container })), info());
    expect(finding).toMatchObject({ level: 'warn', message: expect.stringContaining('nvcr.io requires a login') });
    const named = needsOf(ofJobs({ container, body: { image_pull_secrets: ['nvcr'] } }));
    const none = info({ workloads: { num_image_pull_secrets: 0 } });
    expect(levels(checkImages(named, none))).toEqual(['ok', 'ok', 'warn']);
    expect(levels(checkImages(named, info({ workloads: { num_image_pull_secrets: 2 } })))).toEqual(['ok', 'ok', 'ok']);
  });
});

test('mounts name a volume, and one that there is', () => {
  const mount = (from: string) => needsOf(ofJobs({ mounts: [{ from, path: '/p', mount_path: '/m' }] }));
  const volumes = [{ from: 'nfs', name: 'lepton-shared-fs' }];
  const nodeGroups = { nodeGroups: known([{ id: 'g', name: 'g', volumes }]) };
  expect(levels(checkMounts(mount('node-local'), nodeGroups))).toEqual(['ok']);
  expect(levels(checkMounts(mount('node-nfs:lepton-shared-fs'), nodeGroups))).toEqual(['ok']);
  expect(levels(checkMounts(mount('node-nfs:other'), nodeGroups))).toEqual(['warn']);
  expect(levels(checkMounts(mount('node-nfs:other'), { nodeGroups: unknown }))).toEqual(['ok']);
  expect(levels(checkMounts(mount('lepton-shared-fs'), nodeGroups))).toEqual(['FAIL']);
});

test('how results come home', () => {
  expect(storageFinding(known(true))).toEqual(ok('storage', 'results are fetched through the storage API'));
  expect(storageFinding(known(false))).toMatchObject({ level: 'ok', message: expect.stringContaining('a small job') });
  expect(storageFinding(unknown)).toMatchObject({
    level: 'warn',
    message: expect.stringContaining('403 Forbidden'),
    advice: expect.stringContaining('stay in storage'),
  });
});

test.each([
  [undefined, 'ok', 'not known'],
  ['2026-12-01T00:00:00Z', 'ok', 'valid until 2026-12-01'],
  ['2026-01-05T00:00:00Z', 'warn', 'expires in 4 days'],
  ['2025-12-31T00:00:00Z', 'FAIL', 'expired at 2025-12-31'],
])('a token that expires %s', (at, level, message) => {
  const expiresAt = at === undefined ? undefined : new Date(at);
  const finding = expiryFinding({ expiresAt, source: 'lep login', now: new Date('2026-01-01T00:00:00Z') });
  expect(finding).toMatchObject({ level, message: expect.stringContaining(message) });
});

test('a background process that died is named with its log', () => {
  const service = { name: 'worker', state: 'died', pid: null, since: null, ports: {}, log: '/h/worker.log' } as const;
  expect(deadServices([service, { ...service, name: 'platform', state: 'stopped' }])).toMatchObject([
    { level: 'warn', message: expect.stringContaining('"worker" has died; its log: /h/worker.log') },
  ]);
});

test('a finding as text', () => {
  expect(findingText(ok('disk', '8 GB free'))).toBe('ok   disk: 8 GB free');
  expect(findingText(misfit('secret', 'none', 'create it'))).toBe('FAIL secret: none\n       → create it');
});

test('endpoints without a key are warned about where the internet can reach them', () => {
  const far = { url: 'https://gw.example/api/v2/workspaces/w' };
  const keyed = plan((bare) => {
    if (bare.endpoint.kind !== 'dedicated') return bare;
    const apiTokens = [{ kind: 'host', name: 'MY_KEY' }] as const;
    return { ...bare, endpoint: { ...bare.endpoint, spec: { ...bare.endpoint.spec, apiTokens } } };
  });
  expect(checkExposure(plan(), far)).toMatchObject([
    { level: 'warn', message: expect.stringContaining('anybody'), advice: expect.stringContaining('token of its own') },
  ]);
  expect(checkExposure(keyed, far)).toEqual([]);
  expect(checkExposure(plan(), { url: 'http://127.0.0.1:80/api/v2/workspaces/w' })).toEqual([]);
});

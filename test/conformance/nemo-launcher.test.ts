import { existsSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BUILT_IN_MODEL } from '../../src/local-platform/model-server/weights';
import { eventually, testPlatform, type TestPlatform } from '../local-platform/test-platform';
import { until } from '../support/command';
import { testCache } from './lep';
import { documentedConfig, nemoConfig, nemoFor, type NemoResult } from './nemo';

/**
 * Runs the real NeMo Evaluator Launcher 0.2.6 with its own Lepton executor, unchanged, against the local platform: it deploys,
 * submits, polls and tears down as on the service.
 */

jest.setTimeout(600_000);

let platform: TestPlatform;
afterEach(async () => {
  // Processes outlive the platform: do not leave them behind when a test fails.
  for (const { metadata } of await jobs()) await platform.call('DELETE', `/jobs/${metadata.id}`);
  for (const { metadata } of await platform.json('GET', '/deployments'))
    await platform.call('DELETE', `/deployments/${metadata.id}`);
  await until('nothing runs any more', isEmpty);
  await platform.dispose();
});

const ifeval = 'lm-evaluation-harness.ifeval';

const invocationOf = ({ all }: NemoResult): string => {
  const found = /Invocation ID: ([0-9a-f]{16})/.exec(all)?.[1];
  if (found === undefined) throw new Error(`no invocation in:\n${all}`);
  return found;
};

/** What `status --json` and `kill` print: a JSON list after the launcher's log lines. */
const listIn = ({ stdout }: NemoResult): { job_id: string; status: string; progress?: Record<string, unknown> }[] =>
  JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as ReturnType<typeof listIn>;

const jobs = async () => (await platform.json('GET', '/jobs?page=1')).jobs;
const withoutQuery = ({ requests }: NemoResult) => requests.map((request) => request.split('?')[0]);
const inventory = () => platform.sim('/inventory');
const nothing = { deployments: [], jobs: [], storage: [] };
const isEmpty = async () => {
  const { deployments, jobs: left } = await inventory();
  return deployments.length + left.length === 0;
};

const simulated = async (plan: string) => {
  platform = await testPlatform({ plan });
  await platform.json('POST', '/usersecrets', [{ name: 'HUB', value: 'hub-token' }]);
  return nemoFor(platform);
};

describe('simulated runtime', () => {
  test('run, status and kill with two tasks', async () => {
    const nemo = await simulated(`
endpoints: { default: { states: [[Starting, 100ms], [Ready]] } }
jobs: { default: { states: [[Running, 1h], [Completed]] } }`);
    const config = nemoConfig(platform, { tasks: [ifeval, 'lm-evaluation-harness.hellaswag'] });
    const run = await nemo('run', '--config', config);
    expect([run.code, run.all]).toEqual([0, expect.stringContaining('Job submission successful')]);
    const id = invocationOf(run);
    const six = id.slice(0, 6);
    const [group] = await platform.json('GET', '/dedicated-node-groups');
    // Endpoints are created in parallel, jobs one after the other.
    const nodes = `GET /dedicated-node-groups/${group.metadata.id}/nodes`;
    const submission = ['GET /dedicated-node-groups', nodes, 'POST /jobs'];
    expect(withoutQuery(run).slice(-6)).toEqual([...submission, ...submission]);
    const before = withoutQuery(run).slice(0, -6);
    expect(before.filter((request) => request === 'POST /deployments')).toHaveLength(2);
    expect(new Set(before)).toEqual(
      new Set([
        'GET /deployments',
        'POST /deployments',
        `GET /deployments/vllm-ifeval-0-${six}`,
        `GET /deployments/vllm-hellas-1-${six}`,
      ]),
    );

    const stored = await platform.json('GET', `/deployments/vllm-ifeval-0-${six}`);
    expect(stored.spec).toMatchObject({
      container: { image: 'vllm/vllm-openai:latest', ports: [{ container_port: 8000 }] },
      resource_requirement: { resource_shape: 'gpu.1xh200', min_replicas: 1, max_replicas: 1 },
      envs: expect.arrayContaining([{ name: 'HF_TOKEN', value_from: { secret_name_ref: 'HUB' } }]),
      mounts: [{ path: '/shared/cache/vllm-openai', from: 'node-nfs:lepton-shared-fs', mount_options: {} }],
      queue_config: { priority_class: 'mid-4000' },
    });
    const [first, second] = await jobs();
    expect([first.metadata.name, second.metadata.name].sort()).toEqual([
      `eval-${six}-hellaswag-1`,
      `eval-${six}-ifeval-0`,
    ]);
    expect(first.spec).toMatchObject({
      resource_shape: 'cpu.small',
      affinity: {
        allowed_dedicated_node_groups: [group.metadata.id],
        allowed_nodes_in_node_group: [expect.any(String)],
      },
      mounts: [{ path: `/shared/nemo-evaluator-launcher-workspace/${id}`, mount_path: '/workspace' }],
      ttl_seconds_after_finished: 600,
      shared_memory_size: 1024,
    });
    expect(JSON.stringify(await jobs())).not.toContain('hub-token');

    const status = await nemo('status', id, '--json');
    expect(listIn(status).map(({ job_id, status: state }) => [job_id, state])).toEqual([
      [`${id}.0`, 'running'],
      [`${id}.1`, 'running'],
    ]);
    expect(listIn(status)[0]?.progress).toMatchObject({
      lepton_state: 'Running',
      endpoint_name: `vllm-ifeval-0-${six}`,
    });

    const one = await nemo('kill', `${id}.1`);
    expect(listIn(one)).toMatchObject([{ job_id: `${id}.1`, status: 'killed' }]);
    expect(withoutQuery(one).slice(-2)).toEqual([
      expect.stringMatching(/^DELETE \/jobs\/eval-.*-1-/),
      `DELETE /deployments/vllm-hellas-1-${six}`,
    ]);
    await eventually(async () => (await inventory()).deployments.length === 1, 'one endpoint less');
    const rest = await nemo('kill', id);
    expect(listIn(rest)).toContainEqual(expect.objectContaining({ job_id: `${id}.0`, status: 'killed' }));
    await eventually(isEmpty, 'nothing left');
  });

  test('an endpoint that never becomes ready is removed, and no job is submitted', async () => {
    const nemo = await simulated(`endpoints: { default: { states: [[Error]], message: 'image pull failed' } }`);
    const run = await nemo(
      ...['run', '--config', nemoConfig(platform, { tasks: [ifeval] })],
      ...['-o', 'execution.lepton_platform.deployment.endpoint_readiness_timeout=1'],
    );
    expect([run.code, run.all]).toEqual([1, expect.stringContaining('Failed to create 1 endpoints')]);
    expect(withoutQuery(run)).not.toContain('POST /jobs');
    expect(withoutQuery(run).at(-1)).toMatch(/^DELETE \/deployments\/vllm-ifeval-0-/);
    await eventually(isEmpty, 'nothing left');
    expect(await inventory()).toEqual(nothing);
  });
});

describe('process runtime', () => {
  test("the manual's config: the endpoint serves a real model, the job evaluates it on this machine, kill removes both", async () => {
    const root = mkdtempSync(path.join(tmpdir(), 'evalsaga-nemo-'));
    symlinkSync(testCache().runtimes, path.join(root, 'runtimes'));
    platform = await testPlatform({ runtime: 'process', root });
    await platform.json('POST', '/usersecrets', [{ name: 'HUB', value: 'hub-token' }]);
    const nemo = await nemoFor(platform);
    const fewer = 'evaluation.nemo_evaluator_config.config.params.limit_samples=2';
    const run = await nemo('run', '--config', documentedConfig(platform), '-o', fewer);
    expect([run.code, run.all]).toEqual([0, expect.stringContaining('Job submission successful')]);
    const id = invocationOf(run);

    const [endpoint] = await platform.json('GET', '/deployments');
    const models = await fetch(`${endpoint.status.endpoint.external_endpoint}/v1/models`);
    expect(await models.json()).toMatchObject({ data: [{ id: BUILT_IN_MODEL }] });

    const over = ['Completed', 'Failed', 'Stopped'];
    await until('the end of the job', async () => over.includes((await jobs())[0].status.state), 240_000);
    const [job] = await jobs();
    const log = await (
      await platform.call('GET', `/jobs/${job.metadata.id}/replicas/${job.metadata.id}-r0/log`)
    ).text();
    // The launcher quotes its script wrongly, so that the shell runs pieces of it; the evaluation is among them.
    expect(log).toContain('/logs/stage.exit: No such file');
    expect([job.status.state, log]).toEqual([
      'Completed',
      expect.stringContaining('Evaluation completed successfully'),
    ]);
    expect(log).toMatch(/results:\n {2}groups:\n {4}hellaswag:/);
    // Its results stay in the container's /results, which here is a folder of the job.
    expect(log).toContain(
      `output_dir: ${path.join(root, 'platform', 'runtime', 'jobs', job.metadata.id, 'results')}\n`,
    );
    expect(existsSync('/results')).toBe(false);
    expect(listIn(await nemo('status', id, '--json'))).toMatchObject([
      { job_id: `${id}.0`, status: 'success', progress: { lepton_state: 'Completed' } },
    ]);

    expect(listIn(await nemo('kill', id))).toMatchObject([{ job_id: `${id}.0`, status: 'killed' }]);
    await eventually(isEmpty, 'nothing left');
    await expect(fetch(endpoint.status.endpoint.external_endpoint)).rejects.toThrow();
  });
});

import { planRun, renderProblem } from '../../../src/config';
import type { RunPlan } from '../../../src/contract/plan';
import { deploying, invocation, load, plan, problems } from './configs';

/** `execution.shared_caches`: one folder for the caches of all endpoints and jobs. */

const config = (caches: string, { type = 'vllm', body = '{hf_model_handle: org/m}' } = {}): string =>
  deploying(type, body).replace('output_dir: out', `output_dir: out, shared_caches: ${caches}`);

const onLepton = async (text: string): Promise<RunPlan> => {
  const platform = { kind: 'lepton', workspace: 'w', url: 'https://lepton.example' } as const;
  return planRun(await load(text), { invocation, platform, owner: 'me', command: '', cwd: '/' }).plan;
};

const parts = (run: RunPlan) => {
  if (run.endpoint.kind !== 'dedicated') throw new Error('expected a dedicated endpoint');
  return { endpoint: run.endpoint.spec, job: run.tasks[0]?.job };
};

const mount = { path: '/caches', from: 'node-nfs:lepton-shared-fs', mount_path: '/shared-caches' };

test('endpoints and jobs get the mount, and variables that point into it', async () => {
  const { endpoint, job } = parts(await onLepton(config('{path: /caches}')));
  expect([endpoint.mounts, job?.mounts.slice(1)]).toEqual([[mount], [mount]]);
  const hub = { name: 'HF_HOME', value: '/shared-caches/huggingface' };
  expect(endpoint.envs).toEqual(
    expect.arrayContaining([hub, { name: 'VLLM_CACHE_ROOT', value: '/shared-caches/vllm' }]),
  );
  expect(job?.envs).toContainEqual(hub);
});

test('variables of the config win, and a NIM has a cache of its own kind', async () => {
  const own = "{image: 'nvcr.io/nim/x:1', served_model_name: m, envs: {HF_HOME: /mine}}";
  const { endpoint, job } = parts(
    await onLepton(
      config('{path: /caches, from: node-nfs:big, mount_path: /c}', { type: 'nim', body: own }).replace(
        'tasks: [',
        'env_vars: {HF_HOME: lit:/job}, tasks: [',
      ),
    ),
  );
  const values = (envs: readonly object[] = []) =>
    envs.filter((entry) => 'value' in entry && 'name' in entry && /^(HF_HOME|NIM_CACHE)/.test(String(entry.name)));
  expect(values(endpoint.envs)).toEqual([
    { name: 'HF_HOME', value: '/mine' },
    { name: 'NIM_CACHE_PATH', value: '/c/nim' },
  ]);
  expect(values(job?.envs)).toEqual([{ name: 'HF_HOME', value: '/job' }]);
  expect(endpoint.mounts).toEqual([{ path: '/caches', from: 'node-nfs:big', mount_path: '/c' }]);
});

test('on this machine they are shared already', async () => {
  const { plan: run } = await plan(config('{path: /caches}'));
  expect(JSON.stringify(run)).not.toContain('/shared-caches');
});

test('a disk of each node is no place to share', async () => {
  const { warnings } = await load(config('{path: /caches, from: node-local}'));
  expect(warnings.map(renderProblem)).toEqual([
    expect.stringMatching(/shared_caches\.from: `node-local` is a disk of each node/),
  ]);
  expect((await load(config('{path: /caches}'))).warnings).toEqual([]);
});

test('a mount path that is taken, or a path that is none, is refused where it is set', async () => {
  const taken = await problems(config('{path: caches}'));
  expect(taken[0]).toMatchObject({ path: 'execution.shared_caches.path' });
  await expect(onLepton(config('{path: /caches, mount_path: /workspace}'))).rejects.toMatchObject({
    problems: [expect.objectContaining({ path: 'execution.shared_caches.mount_path' })],
  });
});

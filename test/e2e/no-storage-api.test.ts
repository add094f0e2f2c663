import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { readJsonFile } from '../../src/support/atomic-file';
import { createLeptonClient } from '../../src/lepton/client';
import type { PlatformAccess } from '../../src/lepton/types';
import { testHome, until, type TestHome } from '../support/command';
import { emptyInventory } from '../support/simulated';

/** A workspace without the /storage API, with real model, harness and jobs: results are fetched through a job's log. */

const model = 'HuggingFaceTB/SmolLM2-135M-Instruct';
const minutes = 60_000;
const withoutStorage = { EVALSAGA_NO_STORAGE_API: '1' };
/** Allows the task's post_cmd, which writes a file beside the scores. */
const trusted = { NEMO_EVALUATOR_TRUST_PRE_CMD: '1' };

let user: TestHome;
beforeAll(async () => {
  user = await testHome('no-storage');
  await user.run(['up', '--platform', 'local'], withoutStorage);
}, 2 * minutes);
afterAll(() => user.dispose());

/** A config whose task writes `bytes` incompressible bytes besides its scores. */
async function configWith(name: string, bytes: number): Promise<string> {
  const params = { limit_samples: 3, parallelism: 1, request_timeout: 120 };
  const extra = { num_fewshot: 0, tokenizer: model, tokenizer_backend: 'huggingface' };
  const config = path.join(user.folder, `${name}-${bytes}.yaml`);
  const run = {
    defaults: [{ execution: 'lepton' }, { deployment: 'vllm' }, '_self_'],
    execution: { output_dir: './results' },
    deployment: { hf_model_handle: model, served_model_name: model },
    evaluation: {
      nemo_evaluator_config: { config: { params: { ...params, extra } } },
      tasks: [{ name: 'hellaswag', post_cmd: `head -c ${bytes} /dev/urandom > "$EVALSAGA_OUTPUT_DIR/${name}"` }],
    },
  };
  await writeFile(config, stringify(run));
  return config;
}

const start = ['start', '--platform', 'local', '--json'];

async function access(): Promise<PlatformAccess> {
  return (await readJsonFile(user.home.platformAccess)) as PlatformAccess;
}

async function inventory(): Promise<{ deployments: string[]; jobs: string[]; storage: string[] }> {
  const { token, url } = await access();
  const answer = await fetch(new URL('/__sim/inventory', url), { headers: { authorization: `Bearer ${token}` } });
  return answer.json() as ReturnType<typeof inventory>;
}

/** All files in the platform's volumes on this machine, which no API lists here. */
async function filesOnVolumes(): Promise<string[]> {
  const root = path.join(user.home.platform, 'storage');
  const names = await readdir(root, { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
}

test(
  'results are fetched in verified pieces, a job removes the storage, and all commands know the run',
  async () => {
    const run = await user.run([...start, await configWith('blob.bin', 3_000_000)], trusted);
    expect({ code: run.code, stderr: run.stderr }).toMatchObject({ code: 0 });
    const { invocation, tasks, teardown } = JSON.parse(run.stdout);
    expect(teardown).toEqual({ left: [], kept: [] });
    const [{ outputDir, metrics }] = tasks;
    expect(Object.keys(metrics)).toContain('hellaswag_acc');
    expect((await stat(path.join(outputDir, 'blob.bin'))).size).toBe(3_000_000);
    const { files } = JSON.parse(await readFile(path.join(outputDir, 'manifest.json'), 'utf8'));
    expect(files.map(({ path: name }: { path: string }) => name)).toEqual(
      expect.arrayContaining(['results.yml', 'blob.bin']),
    );
    expect(parse(await readFile(path.join(outputDir, 'results.yml'), 'utf8'))).toHaveProperty('results');

    expect(await createLeptonClient(await access()).storage.available()).toBe(false);
    expect(await inventory()).toEqual(emptyInventory);
    expect(await filesOnVolumes()).toEqual([]);

    const log = await user.run(['logs', invocation, '--tail', '5']);
    expect(log).toMatchObject({ code: 0, stdout: expect.stringMatching(/\S/) });
    expect(await user.run(['results', invocation])).toMatchObject({ stdout: expect.stringContaining('hellaswag_acc') });
    expect(await user.run(['status', invocation])).toMatchObject({ code: 0 });
    const again = await user.run(['cleanup', invocation]);
    expect(again).toMatchObject({ code: 0 });
    expect(await inventory()).toEqual(emptyInventory);
  },
  12 * minutes,
);

/** Starts a run that keeps its storage on purpose. Resolves to the run's id. */
async function keptRun(): Promise<string> {
  const config = await configWith('kept.bin', 100_000);
  const run = await user.run([...start, config, '-o', 'execution.keep_storage=true'], trusted);
  expect({ code: run.code, stderr: run.stderr }).toMatchObject({ code: 0 });
  expect((await filesOnVolumes()).filter((file) => file.endsWith('kept.bin'))).toHaveLength(1);
  return (JSON.parse(run.stdout) as { invocation: string }).invocation;
}

test(
  "cleanup from a machine that does not know the run uses the platform's record of its jobs",
  async () => {
    const invocation = await keptRun();
    const { url, workspace, token } = await access();
    const env = { LEPTON_WORKSPACE_ID: workspace, LEPTON_WORKSPACE_TOKEN: token, LEPTON_WORKSPACE_URL: url };
    const elsewhere = await testHome('elsewhere-no-storage');
    try {
      const wanted = ['cleanup', invocation, '--output-dir', 'saved'];
      expect(await elsewhere.run(wanted, env)).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/may still be going on[^]*--force/),
      });
      expect(await filesOnVolumes()).not.toEqual([]);
      const { code, stderr } = await elsewhere.run([...wanted, '--force'], env);
      expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('files of the run are in') });
      const saved = path.join(elsewhere.folder, 'saved', invocation, '0-hellaswag');
      expect(parse(await readFile(path.join(saved, 'results.yml'), 'utf8'))).toHaveProperty('results');
      expect((await stat(path.join(saved, 'kept.bin'))).size).toBe(100_000);
      expect(await filesOnVolumes()).toEqual([]);
      expect(await inventory()).toEqual(emptyInventory);
    } finally {
      await elsewhere.dispose();
    }
  },
  12 * minutes,
);

test(
  'cleanup --force after the Temporal database was lost uses the plan stored on this host',
  async () => {
    const invocation = await keptRun();
    await user.run(['down']);
    for (const suffix of ['', '-wal', '-shm']) await rm(user.home.temporalDatabase + suffix, { force: true });
    await user.run(['up', '--platform', 'local'], withoutStorage);
    // Only the lost database knew whether the run is over.
    expect(await user.run(['cleanup', invocation])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/may still be going on[^]*Nothing was removed[^]*--force/),
    });
    expect(await filesOnVolumes()).not.toEqual([]);
    expect(await user.run(['cleanup', invocation, '--force'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('removed 1 of run'),
    });
    expect(await filesOnVolumes()).toEqual([]);
    expect(await inventory()).toEqual(emptyInventory);
  },
  12 * minutes,
);

test(
  'the worker is killed while it fetches results: the next one continues and fetches all of them',
  async () => {
    const bytes = 50_000_000;
    const started = await user.run([...start, '--detach', await configWith('blob.bin', bytes)], trusted);
    const { invocation } = JSON.parse(started.stdout);
    const folder = path.join(user.folder, 'results', invocation, '0-hellaswag');
    const arrived = async (): Promise<string[]> => (await readdir(folder).catch(() => [])).sort();
    // The blob's partial file exists: some pieces have arrived, but not all.
    await until(
      'the blob is under way',
      async () => (await arrived()).some((name) => name.startsWith('.blob.bin')),
      7 * minutes,
    );
    process.kill(await user.pidOf('worker'), 'SIGKILL');
    expect(await arrived()).not.toContain('blob.bin');
    const jobs = (await inventory()).jobs;
    expect(jobs.some((name) => name.startsWith('collect-'))).toBe(true);
    await user.run(['up', '--platform', 'local']);
    await until(
      'the run is over',
      async () => {
        const { stdout } = await user.run(['status', invocation, '--json']);
        return JSON.parse(stdout).status !== 'running';
      },
      7 * minutes,
    );
    const { status, teardown } = JSON.parse((await user.run(['status', invocation, '--json'])).stdout);
    expect({ status, teardown }).toEqual({ status: 'succeeded', teardown: { left: [], kept: [] } });
    expect((await stat(path.join(folder, 'blob.bin'))).size).toBe(bytes);
    expect(await inventory()).toEqual(emptyInventory);
    expect(await filesOnVolumes()).toEqual([]);
  },
  15 * minutes,
);

test(
  'results beyond 64 MiB: scores are saved, the rest is kept, reported, and removed by `cleanup --discard`',
  async () => {
    const run = await user.run([...start, await configWith('zz-blob.bin', 66 * 1024 * 1024)], trusted);
    const { invocation, teardown, tasks } = JSON.parse(run.stdout);
    expect(tasks[0].metrics).toHaveProperty('hellaswag_acc');
    expect(teardown.left).toEqual([]);
    expect(teardown.kept).toEqual([
      {
        path: expect.stringContaining(`${invocation}/0-hellaswag`),
        reason: expect.stringMatching(
          /are home, and the rest stays in storage: zz-blob\.bin \(beyond the 64 MiB .*no storage API\)$/,
        ),
        command: expect.stringContaining(`cleanup ${invocation}`),
      },
    ]);
    expect((await filesOnVolumes()).filter((file) => file.endsWith('zz-blob.bin'))).toHaveLength(1);
    const kept = await user.run(['cleanup', invocation]);
    expect(kept).toMatchObject({ code: 5, stdout: expect.stringContaining('--discard') });
    expect(await filesOnVolumes()).not.toEqual([]);
    expect(await user.run(['cleanup', invocation, '--discard'])).toMatchObject({ code: 0 });
    expect(await filesOnVolumes()).toEqual([]);
    expect(await inventory()).toEqual(emptyInventory);
  },
  12 * minutes,
);

import { readFileSync } from 'node:fs';
import { cp, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import type { ExportRequest, FileSettings, MlflowSettings } from '../../src/contract/export';
import { exportRun, withExportedRun } from '../../src/export/export-run';
import type { ExportContext, Exported } from '../../src/export/exporter';
import { provisionWandb } from '../../src/export/wandb/provision';
import { freePort } from '../../src/support/ports';
import { startChildServer, type ChildServer } from '../support/child-server';
import { common, fileSettings } from '../support/export-settings';
import { finishedInvocation, writeFinishedRun, writeRunOfTwoModels, type FinishedRun } from '../support/finished-run';
import { freshFolder } from '../support/folders';
import { pythonEnvironment, testCache } from './lep';
import { newPython } from './new-python';

/** Exports, as a real MLflow server, W&B's real client, `nel` 0.3.0 and every_eval_ever's validator take them. */

jest.setTimeout(600_000);

let root: Awaited<ReturnType<typeof freshFolder>>;
let run: FinishedRun;
beforeAll(async () => {
  root = await freshFolder('exporting');
  run = await writeFinishedRun(path.join(root.path, 'runs', finishedInvocation));
});
afterAll(() => root.dispose());

const out = (...names: string[]): string => path.join(root.path, 'out', ...names);

async function exported(
  request: ExportRequest,
  { of = run, ...context }: Partial<ExportContext> & { of?: FinishedRun } = {},
): Promise<Exported> {
  return withExportedRun(of, (one) =>
    exportRun(one, request, {
      variable: () => undefined,
      outputDir: out(request.to),
      home: testCache(),
      signal: new AbortController().signal,
      progress: () => undefined,
      ...context,
    }),
  );
}

const files = (settings: Partial<FileSettings> = {}): FileSettings => ({ ...fileSettings, ...settings });

describe('MLflow', () => {
  let server: ChildServer;
  let url: string;
  let python: string;
  beforeAll(async () => {
    const bin = path.join(await pythonEnvironment('mlflow-3.17.2', ['mlflow==3.17.2'], newPython), 'bin');
    python = path.join(bin, 'python');
    const store = [
      '--backend-store-uri',
      `sqlite:///${root.path}/mlflow.db`,
      '--artifacts-destination',
      out('artefacts'),
    ];
    const at = ['--host', '127.0.0.1', '--workers', '1', '--serve-artifacts'];
    const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: root.path };
    server = await startChildServer({
      command: (port) => [path.join(bin, 'mlflow'), 'server', ...store, ...at, '--port', String(port)],
      env,
      answers: (port) => fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok),
    });
    url = `http://127.0.0.1:${server.port}`;
  });
  afterAll(() => server.end());

  const settings = (change: Partial<MlflowSettings> = {}): ExportRequest => ({
    to: 'mlflow',
    settings: {
      ...common,
      ...{
        tracking_uri: url,
        experiment_name: 'tests',
        run_name: null,
        description: 'of tests',
        tags: { team: 'search' },
      },
      ...{
        extra_metadata: { purpose: 'a/b' },
        skip_existing: false,
        log_config_params: true,
        log_config_params_max_depth: 10,
      },
      exclude_patterns: [],
      copy_logs: true,
      ...change,
    },
  });

  /** What MLflow's own client finds. */
  async function found(): Promise<{ runs: MlflowRun[] }> {
    const script = path.join(__dirname, 'exporting', 'mlflow_runs.py');
    const { stdout } = await execa(python, [script, url, 'tests'], { env: { HOME: root.path } });
    return JSON.parse(stdout) as { runs: MlflowRun[] };
  }

  interface MlflowRun {
    readonly name: string;
    readonly status: string;
    readonly params: Record<string, string>;
    readonly metrics: Record<string, number>;
    readonly points: Record<string, number>;
    readonly tags: Record<string, string>;
    readonly artifacts: readonly string[];
    readonly config: string;
  }

  test('has a run per task with scores, config and files; a second export changes nothing', async () => {
    const first = await exported(settings());
    expect(first).toMatchObject({ tasks: 2, skipped: 0, notes: [] });
    await exported(settings());
    expect(await exported(settings({ skip_existing: true }))).toMatchObject({ tasks: 0, skipped: 2 });
    const { runs } = await found();
    expect(runs.map(({ name }) => name).sort()).toEqual(
      ['gsm8k', 'hellaswag'].map((task) => `eval-${finishedInvocation}-${task}`),
    );
    const hellaswag = runs.find(({ tags }) => tags['job_id'] === `${finishedInvocation}.0`);
    expect(hellaswag).toMatchObject({
      status: 'FINISHED',
      params: { model: 'org/model', purpose: 'a/b', 'config.deployment.image': 'vllm/vllm-openai:v1' },
      metrics: { hellaswag_acc: expect.any(Number), hellaswag_acc_stderr: 0.05, requests: 40 },
      points: { hellaswag_acc: 1, hellaswag_acc_stderr: 1 },
      tags: { team: 'search', harness: 'lm-evaluation-harness', 'mlflow.note.content': 'of tests' },
      config: 'deployment:\n  image: vllm/vllm-openai:v1\n',
    });
    expect(hellaswag?.artifacts).toEqual([
      'config.yml',
      ...[
        'artifacts/eval_factory_metrics.json',
        'artifacts/results.yml',
        'artifacts/run_config.yml',
        'logs/job.log',
      ].map((name) => `lm-evaluation-harness.hellaswag/${name}`),
      'report.html',
      'run.json',
    ]);
  });

  test('the whole folder goes with only_required: false; caches and excluded names stay', async () => {
    const all = settings({ experiment_name: 'tests', only_required: false, exclude_patterns: ['RESULTS_*.json'] });
    await exported(all);
    const { runs } = await found();
    const names = runs.flatMap(({ artifacts }) => artifacts).filter((name) => name.includes('gsm8k'));
    expect(names.some((name) => /samples_gsm8k_.*\.jsonl$/.test(name))).toBe(true);
    expect(names.some((name) => /results_2026/.test(name))).toBe(false);
  });

  test('a server that refuses or is not there: what it said, and whether to try again', async () => {
    await expect(exported(settings({ experiment_name: '' }))).rejects.toMatchObject({ kind: 'lasting' });
    const nobody = settings({ tracking_uri: `http://key:s3cr3t-word@127.0.0.1:${await freePort([])}` });
    const error: Error = await exported(nobody).then(
      () => new Error('exported'),
      (failure: Error) => failure,
    );
    expect(error).toMatchObject({ kind: 'temporary' });
    expect(error.message).toMatch(/^MLflow at http:\/\/127\.0\.0\.1:\d+ can't be reached/);
    expect(error.message).not.toContain('s3cr3t');
  });
});

test("W&B's real client logs runs with ids that stay the same, and is told the key only by a variable", async () => {
  const key = 'k'.repeat(40);
  const variables: Record<string, string> = { WANDB_MODE: 'offline', WANDB_API_KEY: key };
  const request = (log_mode: 'per_task' | 'multi_task'): ExportRequest => ({
    to: 'wandb',
    settings: {
      ...common,
      ...{
        entity: 'team',
        project: 'evaluations',
        log_mode,
        name: null,
        group: null,
        job_type: 'evaluation',
        tags: ['nightly'],
      },
      ...{ description: null, extra_metadata: { purpose: 'tests' }, run_id: null },
    },
  });
  const variable = (name: string): string | undefined => variables[name];
  for (const mode of ['per_task', 'per_task', 'multi_task'] as const) await exported(request(mode), { variable });
  const folders = (await readdir(out('wandb', 'wandb'))).filter((name) => name.startsWith('offline-run-'));
  const ids = folders.map((name) => name.replace(/^offline-run-\d+_\d+-/, '')).sort();
  expect(ids).toEqual([finishedInvocation, `${finishedInvocation}-0`, `${finishedInvocation}-1`]);
  const python = await provisionWandb({ home: testCache() });
  const script = path.join(__dirname, 'exporting', 'wandb_runs.py');
  const { stdout } = await execa(python, [script, out('wandb', 'wandb')]);
  expect(stdout).not.toContain(key);
  const logged = JSON.parse(stdout) as Record<
    string,
    { metrics: Record<string, number>; config: object; files: string[] }
  >;
  expect(logged[`${finishedInvocation}-0`]).toMatchObject({
    project: 'evaluations',
    entity: 'team',
    group: finishedInvocation,
    tags: ['nightly'],
    config: { benchmark: 'hellaswag', model: 'org/model', purpose: 'tests' },
    metrics: { hellaswag_acc: expect.any(Number), hellaswag_acc_stderr: 0.05, requests: 40 },
  });
  expect(logged[`${finishedInvocation}-0`]?.files).toEqual(
    expect.arrayContaining(['config.yml', 'run.json', 'lm-evaluation-harness.hellaswag/artifacts/results.yml']),
  );
  expect(Object.keys(logged[finishedInvocation]?.metrics ?? {})).toEqual(
    expect.arrayContaining(['hellaswag_acc', 'gsm8k_exact_match_exact_match__strict-match', 'gsm8k/requests']),
  );
  const models = await writeRunOfTwoModels(path.join(root.path, 'runs', 'wandb-models'));
  await exported(request('multi_task'), { of: models, variable, outputDir: out('wandb-models') });
  const ofModels = await execa(python, [script, out('wandb-models', 'wandb')]);
  const { files: attached } = (JSON.parse(ofModels.stdout) as typeof logged)[finishedInvocation] ?? {};
  expect(attached).toEqual(
    expect.arrayContaining([0, 1].map((index) => `${index}-lm-evaluation-harness.hellaswag/artifacts/results.yml`)),
  );
});

test("nel compares, gates and reports what was exported for it, as evalsaga's own compare sees it", async () => {
  const bin = path.join(
    await pythonEnvironment('nel-0.3.0', ['nemo-evaluator==0.3.0', 'scipy==1.18.1', 'statsmodels==0.15.0'], newPython),
    'bin',
  );
  const other = await writeFinishedRun(path.join(root.path, 'runs', 'other'), {
    ...{ seed: 9, invocation: 'aaaa9c0b1d2e4f56', chance: 0.3 },
  });
  const { where: base } = await exported({ to: 'nel', settings: files() });
  const { where: candidate } = await exported({ to: 'nel', settings: files() }, { of: other });
  const nel = async (...args: string[]): Promise<string> =>
    (await execa(path.join(bin, 'nel'), args, { reject: false, stdin: 'ignore' })).stdout;
  const compared = JSON.parse(
    await nel(
      'compare',
      path.join(base, '0-hellaswag'),
      path.join(candidate, '0-hellaswag'),
      '--format',
      'json',
      '--no-strict',
    ),
  ) as NelReport | Record<string, NelReport>;
  const report = 'flip_report' in compared ? (compared as NelReport) : Object.values(compared)[0];
  expect(report?.flip_report.summary.n_paired).toBe(60);
  expect(report?.score_deltas['hellaswag_acc']?.baseline).toBeCloseTo(accOf(run), 12);
  const markdown = await nel('report', base, '--format', 'markdown');
  expect(markdown).toContain('hellaswag');
  expect(markdown).toContain('gsm8k');
});

interface NelReport {
  readonly flip_report: { readonly summary: { readonly n_paired: number } };
  readonly score_deltas: Record<string, { readonly baseline: number }>;
}

/** Of the samples themselves. */
function accOf({ folder }: FinishedRun): number {
  const file = path.join(folder, '0-hellaswag', 'org__model', 'samples_hellaswag_2026-11-28T02-32-30.325823.jsonl');
  const values = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { acc: number }).acc);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test("every_eval_ever's validator accepts what was exported; a second export writes the same", async () => {
  const bin = path.join(await pythonEnvironment('every-eval-ever-0.3.0', ['every_eval_ever==0.3.0'], newPython), 'bin');
  await exported({ to: 'eee', settings: files() });
  await cp(out('eee'), out('eee-before'), { recursive: true });
  await exported({ to: 'eee', settings: files() });
  const names = (await readdir(out('eee'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  expect(names).toHaveLength(4);
  for (const { parentPath, name } of names) {
    const file = path.join(parentPath, name);
    const before = file.replace(out('eee'), out('eee-before'));
    expect(await readFile(file, 'utf8')).toBe(await readFile(before, 'utf8'));
  }
  const validate = ['-m', 'every_eval_ever', 'validate', '--format', 'json', 'data/**/*.json', 'data/**/*.jsonl'];
  const validated = await execa(path.join(bin, 'python'), validate, { reject: false, cwd: out('eee') });
  expect(validated).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(validated.stdout)).toHaveLength(4);
  const models = await writeRunOfTwoModels(path.join(root.path, 'runs', 'eee-models'));
  await exported({ to: 'eee', settings: files() }, { of: models, outputDir: out('eee-models') });
  const ofModels = await execa(path.join(bin, 'python'), validate, { reject: false, cwd: out('eee-models') });
  expect(ofModels).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(ofModels.stdout)).toHaveLength(4);
});

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startProgram, type Finished } from '../support/program';

/** The real program, without any server: `migrate` and `init` write files that a dry run and `doctor` accept. */

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-migrate-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => path.join(folder, name);
const read = (name: string): string => readFileSync(at(name), 'utf8');
const evalsaga = (args: readonly string[], variables: Record<string, string> = {}): Promise<Finished> =>
  startProgram(args, {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, EVALSAGA_HOME: at('home'), ...variables },
  }).finished;
const dryRun = (name: string, variables?: Record<string, string>): Promise<Finished> =>
  evalsaga(['start', name, '--dry-run', '--json', '--platform', 'local'], variables);

const slurm = `# ours
defaults: [execution: slurm/default, deployment: vllm, _self_]
execution: {output_dir: results, account: ???, hostname: ???, walltime: 02:00:00}
deployment: {hf_model_handle: org/model, served_model_name: org/model, tensor_parallel_size: 2}
evaluation:
  overrides: {config.params.limit_samples: 5}   # to try it
  tasks:
    - name: hellaswag
      env_vars: {HF_TOKEN: HF_TOKEN_FOR_X}
`;

test('migrate: prints, writes another file, writes in place; the result runs, and migrating it changes nothing', async () => {
  writeFileSync(at('slurm.yaml'), slurm);
  chmodSync(at('slurm.yaml'), 0o640);
  const printed = await evalsaga(['migrate', 'slurm.yaml']);
  expect([printed.code, printed.stderr]).toEqual([0, expect.stringContaining("Slurm's limit for one job (02:00:00)")]);
  expect(read('slurm.yaml')).toBe(slurm);
  expect(printed.stdout).toMatch(/^# ours\n[^]*# to try it/);

  expect(await evalsaga(['migrate', 'slurm.yaml', '-o', 'run.yaml'])).toMatchObject({ code: 0, stdout: '' });
  expect(read('run.yaml')).toBe(printed.stdout);
  expect(await evalsaga(['migrate', 'slurm.yaml', '-o', 'run.yaml'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--force'),
  });
  expect((await evalsaga(['migrate', 'slurm.yaml', '-w'])).code).toBe(0);
  expect([read('slurm.yaml'), statSync(at('slurm.yaml')).mode & 0o777]).toEqual([printed.stdout, 0o640]);

  const again = await evalsaga(['migrate', 'run.yaml', '-w', '--json']);
  expect(JSON.parse(again.stdout)).toEqual({
    file: at('run.yaml'),
    written: null,
    changed: false,
    changes: [],
    open: [],
    notes: ['set these variables before a start: HF_TOKEN_FOR_X'],
    text: printed.stdout,
  });
  const run = await dryRun('run.yaml', { HF_TOKEN_FOR_X: 'hub-token-value' });
  expect([run.code, JSON.parse(run.stdout)]).toEqual([
    0,
    expect.objectContaining({ model: 'org/model', tasks: [expect.objectContaining({ name: 'hellaswag' })] }),
  ]);
});

test('migrate: what is left to decide is marked in the file, which is written, and exits 2', async () => {
  writeFileSync(at('run.yaml'), slurm.replace('hf_model_handle: org/model', 'checkpoint_path: /lustre/model'));
  const { code, stderr } = await evalsaga(['migrate', 'run.yaml', '-w']);
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(/1 thing left for you to decide[^]*line 4: .*copy \/lustre\/model/),
  ]);
  expect(read('run.yaml')).toMatch(/^# evalsaga migrate: deployment\.lepton_config\.mounts: copy \/lustre\/model/m);
  expect(await evalsaga(['migrate', 'absent.yaml'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('does not exist'),
  });
});

test('init: from options, a config that a dry run and doctor accept; nothing is replaced unless --force says so', async () => {
  const bare = await evalsaga(['init']);
  expect([bare.code, bare.stdout, bare.stderr]).toEqual([
    2,
    '',
    expect.stringMatching(/--model.*--deployment.*-t TASK/),
  ]);
  const options = ['--model', 'org/model', '--deployment', 'vllm', '--resource-shape', 'gpu.2xh200', '-t', 'hellaswag'];
  expect(await evalsaga(['init', 'run.yaml', ...options, '--limit-samples', '5'])).toMatchObject({
    code: 0,
    stdout: `${at('run.yaml')}\n`,
  });
  const run = await dryRun('run.yaml');
  expect([run.code, run.stdout]).toEqual([0, expect.stringContaining('gpu.2xh200')]);
  const doctor = await evalsaga(['doctor', 'run.yaml', '--platform', 'local', '--json']);
  const { checks } = JSON.parse(doctor.stdout) as { checks: { about: string; level: string }[] };
  expect(checks.filter(({ about }) => about === 'config')).toEqual([expect.objectContaining({ level: 'ok' })]);

  const before = read('run.yaml');
  const refused = await evalsaga(['init', 'run.yaml', ...options]);
  expect([refused.code, refused.stderr, read('run.yaml')]).toEqual([2, expect.stringContaining('--force'), before]);
  expect((await evalsaga(['init', 'run.yaml', ...options, '--force'])).code).toBe(0);
  expect(read('run.yaml')).not.toBe(before);
});

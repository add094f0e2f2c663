/** Runs the job's command with a fake evaluator on PATH. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { jobCommand } from '../../../src/config/plan/job-script';
import type { JobScript } from '../../../src/config/plan/job-script';
import { plainScript } from '../../support/job-scripts';

let folder: string;
const inside = (...parts: string[]) => path.join(folder, ...parts);

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-job-'));
  mkdirSync(inside('bin'));
  mkdirSync(inside('tmp'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const usual = plainScript;

/** A fake evaluator: saves its arguments and its run config, then runs `work`. */
function evaluator(work: string, name = 'nemo-evaluator'): void {
  writeFileSync(
    inside('bin', name),
    `#!/bin/bash\nprintf '%s\\n' "$@" > ${inside('args')}\ncp "$3" ${inside('run_config')}\n${work}\n`,
  );
  chmodSync(inside('bin', name), 0o755);
}

function run(script: Partial<JobScript>, env: Record<string, string> = {}) {
  const [command, ...args] = jobCommand({ ...usual, ...script });
  const child = spawn(command, args, {
    env: {
      PATH: `${inside('bin')}:${process.env['PATH'] ?? ''}`,
      TMPDIR: inside('tmp'),
      EVALSAGA_OUTPUT_DIR: inside('out dir'),
      EVALSAGA_MODEL_URL: 'http://h/v1/completions',
      ...env,
    },
    cwd: folder,
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const ended = new Promise<{ code: number | null; errors: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, errors })),
  );
  return { child, ended };
}

const read = (name: string) => readFileSync(inside(name), 'utf8');

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
};

test('runs the evaluator on the run config, and leaves nothing behind', async () => {
  evaluator('echo done > "$5/results.yml"');
  const { code } = await run({}).ended;
  expect(code).toBe(0);
  expect(read('run_config')).toBe(usual.runConfig);
  expect(read('args').split('\n')).toEqual([
    'run_eval',
    '--run_config',
    expect.stringContaining('run_config.yml'),
    '--output_dir',
    inside('out dir'),
    '--model_url',
    'http://h/v1/completions',
    '',
  ]);
  expect(readdirSync(inside('out dir'))).toEqual(['results.yml']);
  expect(readdirSync(inside('tmp'))).toEqual([]);
});

test.each([3, 1, 137])("ends with the evaluator's code %d", async (wanted) => {
  evaluator(`exit ${wanted}`);
  expect((await run({}).ended).code).toBe(wanted);
});

test('uses the old name of the evaluator, and reports if there is none', async () => {
  evaluator('exit 5', 'eval-factory');
  expect((await run({}).ended).code).toBe(5);
  rmSync(inside('bin', 'eval-factory'));
  const { code, errors } = await run({}).ended;
  expect([code, errors]).toEqual([127, expect.stringContaining('neither nemo-evaluator nor eval-factory')]);
});

test('a URL in the run config wins', async () => {
  evaluator('');
  await run({ ownUrl: true }).ended;
  expect(read('args')).not.toContain('--model_url');
  await run({ modelUrl: "http://h/v1/chat/completions?a='b'" }).ended;
  expect(read('args')).toContain("http://h/v1/chat/completions?a='b'");
});

test('quotes, variables, backticks and the end marker in files are not changed', async () => {
  evaluator('');
  const runConfig = `a: "it's $HOME \`id\` $(id) \\\\ 李明"\nEVALSAGA_END\nb: 'x'\n`;
  await run({ runConfig }).ended;
  expect(read('run_config')).toBe(runConfig);
});

test('pre_cmd and post_cmd run around the evaluation, even if it fails', async () => {
  evaluator(`echo "$FROM_PRE" > ${inside('seen')}; exit 4`);
  const { code } = await run({ preCmd: `export FROM_PRE="it's set"\n`, postCmd: `echo post > ${inside('post')}\n` })
    .ended;
  expect([code, read('seen'), read('post')]).toEqual([4, "it's set\n", 'post\n']);
});

test('a pre_cmd that fails ends the job with its code', async () => {
  evaluator(`touch ${inside('ran')}`);
  const { code, errors } = await run({ preCmd: '(exit 9)\n' }).ended;
  expect([code, errors, existsSync(inside('ran'))]).toEqual([
    9,
    expect.stringContaining('pre_cmd ended with code 9'),
    false,
  ]);
});

test('variables are copied inside the container', async () => {
  evaluator(`echo "$COPY" > ${inside('seen')}`);
  await run({ runtimeVariables: [{ name: 'COPY', from: 'ORIGINAL' }] }, { ORIGINAL: 'a $b "c"' }).ended;
  expect(read('seen')).toBe('a $b "c"\n');
});

test('SIGTERM is passed on, waited for, and leaves a marker with the partial results', async () => {
  evaluator(
    `trap 'echo partial > "$5/partial"; exit 0' TERM\ntouch ${inside('started')}\nwhile :; do sleep 0.05; done`,
  );
  const { child, ended } = run({});
  await until(() => existsSync(inside('started')));
  child.kill('SIGTERM');
  expect((await ended).code).toBe(143);
  expect(readdirSync(inside('out dir')).sort()).toEqual(['.evalsaga_interrupted', 'partial']);
});

test("the evaluator's own marker means interrupted, unless it is from an earlier run", async () => {
  mkdirSync(inside('out dir'));
  writeFileSync(inside('out dir', '.nemo_evaluator_interrupted'), '');
  evaluator('');
  expect((await run({}).ended).code).toBe(0);
  evaluator('touch "$5/.nemo_evaluator_interrupted"');
  expect((await run({}).ended).code).toBe(143);
});

test('the time limit ends the evaluation with a message', async () => {
  evaluator('trap "exit 0" TERM\nwhile :; do sleep 0.05; done');
  const { code, errors } = await run({ timeoutSeconds: 1 }).ended;
  expect([code, errors]).toEqual([124, expect.stringContaining('limit of 1 s')]);
});

test('counts the tokens of requests in the cache that the evaluator keeps of them', async () => {
  const fill = [
    'import json, os, sqlite3',
    'folder = os.path.join(os.environ["EVALSAGA_OUTPUT_DIR"], "response_stats_cache")',
    'os.makedirs(folder)',
    'database = sqlite3.connect(os.path.join(folder, "cache.db"))',
    'database.execute("CREATE TABLE Cache (value)")',
    'row = lambda status, prompt: (json.dumps({"status_code": status, "prompt_tokens": prompt, "completion_tokens": 1}),)',
    'database.executemany("INSERT INTO Cache VALUES (?)", [row(200, 30), row(200, 30), row(200, 61), row(500, 7), (b"{}",)])',
    'database.commit()',
  ];
  writeFileSync(inside('fill.py'), fill.join('\n'));
  evaluator(`python3 ${inside('fill.py')}`);
  expect((await run({}).ended).code).toBe(0);
  expect(JSON.parse(readFileSync(inside('out dir', 'evalsaga_tokens.json'), 'utf8'))).toEqual({
    version: 1,
    prompt_tokens: { 30: 2, 61: 1 },
    completion_tokens: { 1: 3 },
  });
});

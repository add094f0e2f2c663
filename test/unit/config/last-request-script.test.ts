/** Jobs whose log tells when their last request is answered: run with a fake evaluator, and a harness of the real one's shape. */
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
import { jobCommand, type JobScript } from '../../../src/config/plan/job-script';
import { answeredFile, answeredLine, asksReleased } from '../../../src/contract/last-request';
import { withoutRelease } from '../../../src/cli/render/release-choice';
import { deploying, plan, scriptOf } from './configs';
import { plainScript } from '../../support/job-scripts';

const nonce = '0123456789abcdef0123456789abcdef';
let folder: string;
const inside = (...parts: string[]) => path.join(folder, ...parts);

/** As `lm_eval` has it, in what matters here: all requests of all kinds, then the filters of each task, then the metrics. */
const harness = {
  'lm_eval/__init__.py': '',
  'lm_eval/api/__init__.py': '',
  'lm_eval/api/task.py': [
    'class Task:',
    '    def apply_filters(self):',
    '        return None',
    'class ConfigurableTask(Task):',
    '    def apply_filters(self):',
    '        return None',
  ],
  'lm_eval/evaluator.py': [
    'import os, time, types',
    'from lm_eval.api.task import ConfigurableTask',
    'def evaluate(answers, ask):',
    '    tasks = [ConfigurableTask(), ConfigurableTask()]',
    '    requests = {"loglikelihood": [types.SimpleNamespace(resps=[])], "generate_until": [types.SimpleNamespace(resps=[])]}',
    '    for kind, each in requests.items():',
    '        for request in each:',
    '            ask(kind)',
    '            if kind in answers:',
    '                request.resps.append(kind)',
    '    for task in tasks:',
    '        task.apply_filters()',
    '    open(os.environ["FOLDER"] + "/scoring", "w").close()',
    '    while os.path.exists(os.environ["FOLDER"] + "/slow"):',
    '        time.sleep(0.05)',
  ],
  'requests/__init__.py': '',
  'requests/sessions.py': ['class Session:', '    def send(self, request, **options):', '        return "sent"'],
};

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-last-'));
  for (const name of ['bin', 'tmp', 'out', 'lib/lm_eval/api', 'lib/requests'])
    mkdirSync(inside(name), { recursive: true });
  for (const [file, lines] of Object.entries(harness))
    writeFileSync(inside('lib', file), `${[lines].flat().join('\n')}\n`);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Evaluation {
  /** Kinds of requests that are answered. */
  readonly answers?: readonly string[];
  /** Requests go to the model rather than to a cache. */
  readonly asks?: boolean;
  readonly script?: Partial<JobScript>;
}

function run({ answers = ['loglikelihood', 'generate_until'], asks = true, script = {} }: Evaluation = {}) {
  writeFileSync(
    inside('evaluate.py'),
    [
      'import os, types, requests.sessions',
      'from lm_eval.evaluator import evaluate',
      'print("environment:", os.environ.get("EVALSAGA_ANSWERED"), flush=True)',
      // A model that repeats what a log may have shown it.
      `print("${answeredLine('ffffffffffffffffffffffffffffffff')}", flush=True)`,
      'def ask(kind):',
      asks
        ? '    requests.sessions.Session().send(types.SimpleNamespace(method="POST", url="http://127.0.0.1:1/v1/completions"))'
        : '    pass',
      `evaluate(${JSON.stringify(answers)}, ask)`,
    ].join('\n'),
  );
  writeFileSync(
    inside('bin/nemo-evaluator'),
    `#!/bin/bash\nPYTHONPATH="\${PYTHONPATH:+$PYTHONPATH:}${inside('lib')}" exec python3 ${inside('evaluate.py')}\n`,
  );
  chmodSync(inside('bin/nemo-evaluator'), 0o755);
  const [command, ...args] = jobCommand({
    ...plainScript,
    tellsLastRequest: true,
    ...script,
  });
  const child = spawn(command, args, {
    env: {
      PATH: `${inside('bin')}:${process.env['PATH'] ?? ''}`,
      TMPDIR: inside('tmp'),
      FOLDER: folder,
      EVALSAGA_OUTPUT_DIR: inside('out'),
      EVALSAGA_MODEL_URL: 'http://127.0.0.1:1/v1/completions',
      EVALSAGA_ANSWERED: nonce,
    },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise<{ code: number | null; log: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, log })),
  );
  return { ended, log: () => log };
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
};

test('the mark is in the log while the harness still computes, and only the script knows it', async () => {
  writeFileSync(inside('slow'), '');
  const job = run();
  await until(() => job.log().includes(answeredLine(nonce)));
  await until(() => existsSync(inside('scoring')));
  // For a container that is started again.
  expect(readFileSync(inside('out', answeredFile), 'utf8')).toBe(nonce);
  rmSync(inside('slow'));
  const { code, log } = await job.ended;
  expect([code, log]).toEqual([0, expect.stringContaining('environment: None')]);
  expect([readdirSync(inside('out')), readdirSync(inside('tmp'))]).toEqual([[], []]);
});

test('a harness that ends at once has its mark before what follows', async () => {
  const { code, log } = await run({ script: { postCmd: 'echo post_cmd begins' } }).ended;
  expect([code, log]).toEqual([0, expect.stringMatching(new RegExp(`${nonce}[^]*post_cmd begins`))]);
  expect(readdirSync(inside('out'))).toEqual([]);
});

test('there is no mark as long as a request has no answer', async () => {
  const { code, log } = await run({ answers: ['loglikelihood'], script: { postCmd: 'sleep 1.5' } }).ended;
  expect(code).toBe(0);
  expect(log).not.toContain(nonce);
});

test('a harness of another shape runs as it is', async () => {
  rmSync(inside('lib/lm_eval/api/task.py'));
  writeFileSync(inside('lib/lm_eval/api/task.py'), 'class ConfigurableTask:\n    apply_filters = print\n');
  expect((await run().ended).code).toBe(0);
});

const early: Partial<JobScript> = {
  wait: {
    endpointPath: '/v1/completions',
    healthPath: '/health',
    servedModel: 'served',
    keyVariable: null,
    seconds: 60,
    holdsRequests: true,
  },
};

test.each([{}, early, { wait: { ...early.wait, holdsRequests: false } }] as Partial<JobScript>[])(
  'started again after its last request, it does not wait, and ends by itself if it asks the model (%#)',
  async (script) => {
    writeFileSync(inside('out', answeredFile), nonce);
    const { code, log } = await run({ script }).ended;
    expect([code, log]).toEqual([75, expect.stringContaining(asksReleased)]);
    // The platform may start it once more.
    expect(existsSync(inside('out', answeredFile))).toBe(true);
    expect(existsSync(inside('scoring'))).toBe(false);
  },
);

test('started again, it completes if all answers are in the cache', async () => {
  writeFileSync(inside('out', answeredFile), nonce);
  expect((await run({ asks: false }).ended).code).toBe(0);
  expect(readdirSync(inside('out'))).toEqual([]);
});

test('what another job of the task has left there means nothing', async () => {
  writeFileSync(inside('out', answeredFile), 'f'.repeat(32));
  expect((await run().ended).code).toBe(0);
});

const config = (tasks: string, more = ''): string =>
  deploying('vllm', '{hf_model_handle: org/m}', tasks).replace(
    'output_dir: out',
    `output_dir: out, release_endpoint: after_last_request${more}`,
  );

test('the plan says for which tasks it works', async () => {
  const { plan: own } = await plan(config('[{name: hellaswag}, {name: simple_evals.mmlu_pro}]'));
  expect(own.releaseEndpoint).toBe('after_last_request');
  expect(own.tasks.map(({ job }) => job.tellsLastRequest)).toEqual([true, undefined]);
  expect(own.tasks.map(({ job }) => scriptOf(job.container.command).includes('sitecustomize'))).toEqual([true, false]);
  expect(withoutRelease(own)).toMatch(/^execution\.release_endpoint has no effect on simple_evals\.mmlu_pro: only lm-/);
  const { plan: usual } = await plan(deploying('vllm', '{hf_model_handle: org/m}', '[{name: hellaswag}]'));
  expect([usual.releaseEndpoint, usual.tasks[0]?.job.tellsLastRequest, withoutRelease(usual)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('it has no effect on endpoints that are shared or exist already, which is said', async () => {
  const shared = config('[{name: hellaswag}, {name: winogrande}]').replace(
    '{hf_model_handle: org/m}',
    '{hf_model_handle: org/m, sharing: shared}',
  );
  expect(withoutRelease((await plan(shared)).plan)).toBe(
    'execution.release_endpoint has no effect: a shared endpoint is deleted when the last job that uses it has ended',
  );
  const existing = config('[{name: hellaswag}]')
    .replace('deployment: vllm', 'deployment: none')
    .replace(
      'deployment: {hf_model_handle: org/m}',
      'target: {api_endpoint: {url: "https://a.example/v1", model_id: m}}',
    );
  const { plan: none } = await plan(existing);
  expect(none.tasks[0]?.job.tellsLastRequest).toBeUndefined();
  expect(withoutRelease(none)).toBe('execution.release_endpoint has no effect: an existing endpoint is never deleted');
});

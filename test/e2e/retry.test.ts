import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { testHome, type TestHome } from '../support/command';
import { startServer, type TestServer } from '../support/http-server';

/** The real evaluator and harness on the local platform, and a server that counts what they ask. */

const samples = 20;
/** Answered when the first task's job is killed: more than half. */
const killAfter = 13;

let user: TestHome;
let server: TestServer;
const asked = { killed: 0, whole: 0 };
let gate: (() => Promise<unknown>) | undefined;

beforeAll(async () => {
  user = await testHome('retry');
  server = await startServer(async ({ method, url, body }, response) => {
    response.setHeader('content-type', 'application/json');
    if (method === 'GET') return void response.end(JSON.stringify({ data: [{ id: 'smol', object: 'model' }] }));
    const { max_tokens: most } = JSON.parse(body) as { max_tokens?: number };
    const task = url.startsWith('/killed') ? 'killed' : 'whole';
    // The probe asks for a token or two.
    if ((most ?? 100) > 8) asked[task] += 1;
    if (task === 'killed' && asked.killed > killAfter) await gate?.();
    response.end(JSON.stringify(answerTo(body)));
  });
});
afterAll(async () => {
  await user.dispose();
  await server.close();
});

/** A model that answers the same question in the same way, one in three of them right, as it were. */
function answerTo(body: string): object {
  const letter = 'ABCD'[(createHash('sha256').update(body).digest()[0] ?? 0) % 4] ?? 'A';
  const message = { role: 'assistant', content: ` ${letter}` };
  const usage = { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 };
  return {
    id: 'x',
    object: 'chat.completion',
    created: 0,
    model: 'smol',
    choices: [{ index: 0, finish_reason: 'stop', message }],
    usage,
  };
}

/** Kills the processes of a task's job, as the loss of its node would: none can write anything any more. */
async function killJob(invocation: string, index: number): Promise<number> {
  const marks = [`EVALSAGA_INVOCATION=${invocation}`, `EVALSAGA_TASK=${index}`];
  let killed = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environment = (await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')).split('\0');
    if (!marks.every((mark) => environment.includes(mark))) continue;
    process.kill(Number(pid), 'SIGKILL');
    killed += 1;
  }
  return killed;
}

const taskAt = (name: string) => ({
  name: 'lm-evaluation-harness.arc_challenge_chat',
  nemo_evaluator_config: { target: { api_endpoint: { url: `${server.url}/${name}/v1/chat/completions` } } },
});

test('a job killed at 60 % of its requests: its retry asks less than half of them, and gets the same score', async () => {
  const config = path.join(user.folder, 'run.yaml');
  const params = { limit_samples: samples, parallelism: 1 };
  await writeFile(
    config,
    stringify({
      defaults: [{ execution: 'lepton' }, { deployment: 'none' }, '_self_'],
      execution: { output_dir: './results' },
      target: { api_endpoint: { url: `${server.url}/whole/v1/chat/completions`, model_id: 'smol' } },
      evaluation: { nemo_evaluator_config: { config: { params } }, tasks: [taskAt('killed'), taskAt('whole')] },
    }),
  );
  const local = ['--platform', 'local', '--json'];
  const running = user.start(['start', config, ...local]);
  const begun = running.untilStderr(/run ([0-9a-f]{16}) started/);
  let killing: Promise<number> | undefined;
  // What is asked from here on is never answered: the job dies with it.
  gate = () => (killing ??= begun.then(([, id = '']) => killJob(id, 0))).then(() => new Promise(() => undefined));
  const [, invocation = ''] = await begun;
  const first = await running.finished;
  expect({ code: first.code, stderr: first.stderr }).toMatchObject({ code: 1 });
  expect(await killing).toBeGreaterThan(0);
  const [killed, whole] = tasksOf(first);
  expect([killed?.status, whole?.status]).toEqual(['failed', 'succeeded']);
  expect(killed?.notes.join(' ')).toContain(`evalsaga retry ${invocation}`);
  expect(asked).toEqual({ killed: killAfter + 1, whole: samples });

  gate = undefined;
  const plan = await user.run(['retry', invocation, '--dry-run', '--json']);
  expect(JSON.parse(plan.stdout)).toMatchObject({
    retry_of: invocation,
    tasks: [{ job: expect.anything() }, { taken_over: { run: invocation, task: 1 } }],
  });
  const refused = await user.run(['retry', invocation, '-o', 'target.api_endpoint.model_id=other']);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('only these can change') });

  asked.killed = 0;
  const second = await user.run(['retry', invocation, '--json', '-o', 'execution.retries=1']);
  expect({ code: second.code, stderr: second.stderr }).toMatchObject({ code: 0 });
  expect(JSON.parse(second.stdout)).toMatchObject({ status: 'succeeded', retryOf: invocation });
  const [again, taken] = tasksOf(second);
  expect(asked.killed).toBe(samples - killAfter);
  expect(asked.killed).toBeLessThan(samples / 2);
  expect(asked.whole).toBe(samples);
  expect(Object.keys(again?.metrics ?? {})).not.toHaveLength(0);
  expect(again?.metrics).toEqual(whole?.metrics);
  expect(taken).toMatchObject({ takenFrom: { invocation, index: 1 }, metrics: whole?.metrics });
  const nothing = await user.run(['retry', (JSON.parse(second.stdout) as { invocation: string }).invocation]);
  expect(nothing).toMatchObject({ code: 0, stderr: expect.stringContaining('Nothing to do') });
}, 600_000);

interface Task {
  readonly status: string;
  readonly notes: readonly string[];
  readonly metrics: Record<string, number>;
}

const tasksOf = ({ stdout }: { readonly stdout: string }): Task[] => (JSON.parse(stdout) as { tasks: Task[] }).tasks;

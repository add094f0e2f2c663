/** Jobs that start before their endpoint is Ready: run with a fake evaluator and a server that becomes ready later. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { jobCommand } from '../../../src/config/plan/job-script';
import { deploying, plan, problems, scriptOf } from './configs';
import { plainScript } from '../../support/job-scripts';

let folder: string;
let server: Server;
let isReady: boolean;
let asked: number;
const inside = (...parts: string[]) => path.join(folder, ...parts);

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-wait-'));
  for (const name of ['bin', 'tmp', 'lib/requests']) mkdirSync(inside(name), { recursive: true });
  isReady = false;
  asked = 0;
  server = createServer((request, response) => {
    asked += 1;
    const isKnown = request.headers.authorization === 'Bearer the-key';
    response.statusCode = !isReady ? 503 : isKnown ? 200 : 401;
    response.end(JSON.stringify({ data: [{ id: 'served' }] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await new Promise((resolve) => server.close(resolve));
});

/** A fake evaluator that starts, and then sends a request through a library of the harness' kind. */
function evaluator(): void {
  writeFileSync(inside('lib/requests/__init__.py'), '');
  writeFileSync(
    inside('lib/requests/sessions.py'),
    `class Session:\n    def send(self, request, **options):\n        open(${JSON.stringify(inside('sent'))}, 'w').close()\n`,
  );
  writeFileSync(
    inside('evaluate.py'),
    [
      'import types, requests.sessions',
      `open(${JSON.stringify(inside('started'))}, 'w').close()`,
      "request = types.SimpleNamespace(method='POST', url='http://localhost:3825/v1/completions')",
      'requests.sessions.Session().send(request)',
    ].join('\n'),
  );
  writeFileSync(
    inside('bin/nemo-evaluator'),
    `#!/bin/bash\nPYTHONPATH="\${PYTHONPATH:+$PYTHONPATH:}${inside('lib')}" exec python3 ${inside('evaluate.py')}\n`,
  );
  chmodSync(inside('bin/nemo-evaluator'), 0o755);
}

function run({ holdsRequests, seconds = 60 }: { holdsRequests: boolean; seconds?: number }) {
  const { port } = server.address() as AddressInfo;
  const [command, ...args] = jobCommand({
    ...plainScript,
    wait: {
      endpointPath: '/v1/completions',
      healthPath: '/health',
      servedModel: 'served',
      keyVariable: 'KEY',
      seconds,
      holdsRequests,
    },
  });
  const child = spawn(command, args, {
    env: {
      PATH: `${inside('bin')}:${process.env['PATH'] ?? ''}`,
      TMPDIR: inside('tmp'),
      EVALSAGA_OUTPUT_DIR: inside('out'),
      EVALSAGA_MODEL_URL: `http://127.0.0.1:${port}/v1/completions`,
      KEY: 'the-key',
    },
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const ended = new Promise<{ code: number | null; errors: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, errors })),
  );
  return { child, ended };
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
};

test('the harness starts when the endpoint is ready', async () => {
  evaluator();
  const { ended } = run({ holdsRequests: false });
  await until(() => asked > 1);
  expect(existsSync(inside('started'))).toBe(false);
  isReady = true;
  const { code, errors } = await ended;
  expect([code, existsSync(inside('sent'))]).toEqual([0, true]);
  expect(errors).toMatch(/waits until its endpoint is ready[^]*the endpoint is ready, after \d+ s/);
  expect(readdirSync(inside('tmp'))).toEqual([]);
});

test('or it starts at once, and its first request is held back', async () => {
  evaluator();
  const { ended } = run({ holdsRequests: true });
  await until(() => asked > 1 && existsSync(inside('started')));
  expect(existsSync(inside('sent'))).toBe(false);
  isReady = true;
  expect((await ended).code).toBe(0);
  expect(existsSync(inside('sent'))).toBe(true);
  expect(readdirSync(inside('tmp'))).toEqual([]);
});

test.each([true, false])('gives up when the endpoint is not ready in time (held back: %s)', async (holdsRequests) => {
  evaluator();
  const { code, errors } = await run({ holdsRequests, seconds: 1 }).ended;
  expect([code, errors]).toEqual([75, expect.stringContaining('the endpoint was not ready after 1 s (HTTPError 503)')]);
  expect(existsSync(inside('sent'))).toBe(false);
});

test.each([true, false])('ends when it is stopped (held back: %s)', async (holdsRequests) => {
  evaluator();
  const { child, ended } = run({ holdsRequests });
  await until(() => asked > 1 && (!holdsRequests || existsSync(inside('started'))));
  child.kill('SIGTERM');
  expect((await ended).code).toBe(143);
  expect(existsSync(inside('sent'))).toBe(false);
});

const config = (policy: string, more = ''): string =>
  deploying('vllm', '{hf_model_handle: org/m}', '[{name: hellaswag}, {name: simple_evals.mmlu_pro}]').replace(
    'output_dir: out',
    `output_dir: out, start_jobs_early: true, start_policy: ${policy}${more}`,
  );

test('the plan says so, and only the harness that was tried is started before', async () => {
  const { plan: run_ } = await plan(config('as_ready'));
  expect(run_.startJobsEarly).toBe(true);
  const [tried, other] = run_.tasks.map(({ job }) => scriptOf(job.container.command));
  expect(tried).toMatch(/wait\.py[^]*sitecustomize\.py/);
  expect(other).toContain('wait.py');
  expect(other).not.toContain('sitecustomize');
  // The run counts the time limit from Ready on.
  expect(tried).toContain('timeout -k 60 5400');
  expect(other).toContain('timeout -k 60 3600');
  expect(run_.tasks[0]?.endpointPath).toBe('/v1/completions');
});

test('it contradicts waiting for all, and means nothing where nothing is deployed', async () => {
  const [barrier] = await problems(config('all_ready'));
  expect(barrier).toMatchObject({ path: 'execution.start_jobs_early', hint: expect.stringContaining('as_ready') });
  const existing = config('as_ready')
    .replace('deployment: vllm', 'deployment: none')
    .replace(
      'deployment: {hf_model_handle: org/m}',
      'target: {api_endpoint: {url: "https://a.example/v1", model_id: m}}',
    );
  expect((await problems(existing)).map(({ path: at }) => at)).toContain('execution.start_jobs_early');
});

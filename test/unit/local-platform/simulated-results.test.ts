/** What a simulated job leaves looks as the real harness would have it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { writeResults } from '../../../src/local-platform/runtimes/simulated/results';
import type { RuntimeJob } from '../../../src/local-platform/runtime';
import { against, plan } from '../config/configs';

async function resultsOf(job: Pick<RuntimeJob, 'name' | 'spec'>): Promise<unknown> {
  const folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-simulated-'));
  const details = { metrics: { acc: 0.5 }, files: {}, startedAt: 1, endedAt: 2 };
  await writeResults(job as RuntimeJob, { mountFolder: () => Promise.resolve(folder) }, details);
  const written: unknown = parse(await readFile(path.join(folder, 'results.yml'), 'utf8'));
  await rm(folder, { recursive: true, force: true });
  return written;
}

const mounts = [{ path: '/p', from: 'node-nfs:x', mount_path: '/m' }];

test('its scores have the name of the task in the run config that the job unpacks', async () => {
  const { plan: run } = await plan(
    against('{url: "https://h/v1", model_id: m}', '[{name: adlr_minerva_math_nemo_4_shot}]'),
  );
  const [task] = run.tasks;
  if (task === undefined) throw new Error('no task');
  const results = await resultsOf({
    name: task.jobName,
    spec: { container: task.job.container, mounts },
  });
  expect(results).toMatchObject({
    config: { type: 'adlr_minerva_math_nemo_4_shot' },
    results: { groups: { adlr_minerva_math_nemo_4_shot: { metrics: { acc: { scores: { acc: { value: 0.5 } } } } } } },
  });
});

test.each([
  ['eval-hellaswag-0-843b6c12', 'hellaswag'],
  ['eval-843b6c-arc-easy-3', 'arc_easy'],
  ['mine', 'mine'],
])('a job %s without one has those of its name, %s', async (name, task) => {
  expect(await resultsOf({ name, spec: { container: { image: 'a', command: ['x'] }, mounts } })).toMatchObject({
    results: { tasks: { [task]: expect.anything() } },
  });
});

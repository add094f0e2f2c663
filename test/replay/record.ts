/** Records one history per workflow and course into histories/: `npm run record-histories`. See docs/changing-workflows.md. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { quotaWorkflowId } from '../../src/contract/endpoint-quota';
import { batchWorkflowId, runWorkflowId, sharedIndex, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { startInBatches } from '../support/batched-run';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { sendJson, startServer, type SeenRequest } from '../support/http-server';
import { runPlan } from '../support/plans';
import { historiesFolder, historyText } from './history-file';
import type { Course } from './course';
import { courses } from './scenarios';

async function main(only: readonly string[]): Promise<void> {
  await mkdir(historiesFolder, { recursive: true });
  const chosen = courses.filter(({ name }) => only.length === 0 || only.includes(name));
  if (only.length === 0) for (const file of await readdir(historiesFolder)) await rm(path.join(historiesFolder, file));
  const bench = await startBench();
  try {
    for (const course of chosen) await recordCourse(bench, course);
  } finally {
    await bench.close();
  }
}

async function recordCourse(bench: Bench, course: Course): Promise<void> {
  const { maxEndpoints, adapt = (plan: RunPlan): RunPlan => plan } = course;
  const environment = maxEndpoints === undefined ? {} : { EVALSAGA_MAX_ENDPOINTS: String(maxEndpoints) };
  const scenario = await bench.scenario(course.platform, { environment });
  const invocation = `c0ffee${String(courses.indexOf(course)).padStart(10, '0')}`;
  const planned = adapt(runPlan({ outputRoot: scenario.outputRoot, invocation, ...course.plan }));
  const server = course.endpoint === 'existing' ? await startServer(answerAsModel) : undefined;
  const plan = server ? onExisting(planned, `${server.url}/v1/completions`) : planned;
  await (course.isBatched ? startInBatches(scenario, plan) : scenario.start(plan));
  await course.meanwhile?.(scenario, plan);
  const { status } = await scenario.closed(plan);
  // A task outlives a run that was terminated.
  for (const { index } of plan.tasks)
    await bench.client.workflow
      .getHandle(taskWorkflowId(invocation, index))
      .result()
      .catch(() => undefined);
  await save(scenario, { course, plan, id: runWorkflowId(invocation), suffix: 'run' });
  for (const { index } of course.savesRunOnly ? [] : plan.tasks)
    await save(scenario, { course, plan, id: taskWorkflowId(invocation, index), suffix: `task-${index}` });
  if (course.isBatched && !course.savesRunOnly)
    await save(scenario, { course, plan, id: batchWorkflowId(invocation, 0), suffix: 'batch' });
  if (plan.sharedEndpoints)
    await save(scenario, { course, plan, id: taskWorkflowId(invocation, sharedIndex(0)), suffix: 'shared' });
  if (maxEndpoints !== undefined) {
    const id = quotaWorkflowId(scenario.taskQueue);
    await bench.client.workflow.getHandle(id).result();
    await save(scenario, { course, plan, id, suffix: 'quota' });
  }
  if (course.swept) {
    const id = `eval-sweep-${invocation}`;
    const input = { platform: plan.platform, graceSeconds: -60 };
    await scenario.client.workflow.execute('sweepPlatform', {
      workflowId: id,
      taskQueue: scenario.taskQueue,
      args: [input],
    });
    await save(scenario, { course, plan, id, suffix: 'sweep' });
  }
  await scenario.close();
  await server?.close();
  console.log(`${course.name}: ${status}`);
}

function answerAsModel({ url }: SeenRequest, response: ServerResponse): void {
  sendJson(response, url.endsWith('/models') ? { data: [{ id: 'test/model' }] } : {});
}

function onExisting(plan: RunPlan, url: string): RunPlan {
  if (plan.endpoint.kind !== 'dedicated') throw new Error('the plan deploys endpoints');
  const probe = { ...plan.endpoint.probe, healthPath: null };
  const tasks = plan.tasks.map((task) => ({ ...task, endpointName: null, endpointPath: '' }));
  return { ...plan, endpoint: { kind: 'existing', url, probe }, tasks };
}

async function save(
  scenario: Scenario,
  { course, plan, id, suffix }: { course: Course; plan: RunPlan; id: string; suffix: string },
): Promise<void> {
  const history = await scenario.client.workflow.getHandle(id).fetchHistory();
  const folder = path.dirname(path.dirname(plan.outputDir));
  const text = historyText(id, history, [
    [folder, '/home/evalsaga'],
    [path.basename(folder), 'evalsaga'],
    [/127\.0\.0\.1:\d+/g, '127.0.0.1:1'],
    [/\b\d+@[\w.-]+/g, 'worker'],
  ]);
  await writeFile(path.join(historiesFolder, `${course.name}.${suffix}.json`), text);
}

void main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});

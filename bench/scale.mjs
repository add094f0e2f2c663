/** Measures runs of many tasks beside the bare Temporal program of the same shape, on the same server. All results are ratios or counts. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { openLab, root } from './lab.mjs';
import { byKind } from './requests.mjs';

const run = promisify(execFile);

/**
 * Returns the figures of one run: `over` is wall time from command to exit over the critical path (Ready plus job), `bare` the same of
 * the bare program (`null`: not asked for), `cpuPerTask` milliseconds of CPU time, `billed` endpoint time from create to DELETE over
 * what endpoint and job need. `temporal`: address of another server than the embedded one, which `server` names.
 */
export async function measureScale({ tasks, readyMs, jobMs, policy, server = 'embedded', temporal, withBare }) {
  const lab = await openLab({ readyMs, jobMs, temporal });
  try {
    const critical = readyMs + jobMs;
    const earlier = (await lab.inspect('requests')).length;
    const before = lab.cpuMs();
    const { wallMs, begun } = await timed(() => lab.start(tasks, ['-o', `execution.start_policy=${policy}`]));
    const requests = (await lab.inspect('requests')).slice(earlier);
    const at = (method, route) =>
      requests
        .filter((request) => request.method === method && route.test(request.path))
        .map((request) => Date.parse(request.at));
    const creates = at('POST', /^\/deployments$/);
    const deletes = at('DELETE', /^\/deployments\//).slice(0, creates.length);
    const workerMegabytes = lab.workerMegabytes();
    const after = lab.cpuMs();
    const cpuPerTask = Object.fromEntries(Object.keys(after).map((who) => [who, (after[who] - before[who]) / tasks]));
    const left = await leftOn(lab);
    const bare = withBare ? (await bareProgram(lab.temporalAddress(), { tasks, readyMs, jobMs })) / critical : null;
    return {
      ...{ server, readyMs, jobMs, tasks, policy },
      over: wallMs / critical,
      bare,
      firstCreateMs: Math.min(...creates) - begun,
      afterLastEndpointMs: begun + wallMs - Math.max(...deletes),
      afterLastDeleteMs: begun + wallMs - Math.max(...at('DELETE', /./)),
      billed: (sum(deletes) - sum(creates)) / (tasks * critical),
      requestsPerTask: requests.length / tasks,
      requests: byKind(requests),
      workerMegabytes,
      cpuPerTask,
      left,
    };
  } finally {
    await lab.close();
  }
}

/** Returns the times of a run of 3 tasks alone, and beside a large one on the same worker. */
export async function measureFairness({ large, readyMs, jobMs }) {
  const lab = await openLab({ readyMs, jobMs });
  try {
    const { wallMs: aloneMs } = await timed(() => lab.start(3));
    const earlier = deletesIn(await lab.inspect('requests'));
    const beside = lab.start(large);
    beside.catch(() => undefined);
    await sleep(2_000);
    const { wallMs: besideMs } = await timed(() => lab.start(3));
    // Three of them are the small run's.
    const overMeanwhile = deletesIn(await lab.inspect('requests')) - earlier - 3;
    await beside;
    return { large, aloneMs, besideMs, overMeanwhile, left: await leftOn(lab) };
  } finally {
    await lab.close();
  }
}

const deletesIn = (requests) =>
  requests.filter(({ method, path: route }) => method === 'DELETE' && route.startsWith('/deployments/')).length;

/** Returns `over` of a run that so many workers share. `kill`: one of them is killed when half of the jobs are submitted, and none takes its place. */
export async function measureWorkers({ tasks, workers, readyMs, jobMs, kill }) {
  const lab = await openLab({ readyMs, jobMs });
  try {
    const others = [];
    while (others.length < workers - 1) others.push(await lab.startWorker());
    const killing = kill ? killInTheMiddle(lab, others[0], tasks) : Promise.resolve(true);
    killing.catch(() => undefined);
    const { wallMs } = await timed(() => lab.start(tasks, ['-o', 'execution.start_policy=as_ready']));
    if (!(await Promise.race([killing, sleep(100).then(() => false)]))) throw new Error('no worker was killed');
    return { tasks, workers, killed: kill, wallMs, over: wallMs / (readyMs + jobMs), left: await leftOn(lab) };
  } finally {
    await lab.close();
  }
}

const submissionsIn = (requests) =>
  requests.filter(({ method, path: route }) => method === 'POST' && route === '/jobs').length;

async function killInTheMiddle(lab, worker, tasks) {
  // Not all of them run at the same time.
  while (submissionsIn(await lab.inspect('requests')) < tasks / 2) await sleep(500);
  await worker.end('SIGKILL');
  return true;
}

/** How many endpoints, jobs and files the platform still has. */
async function leftOn(lab) {
  const inventory = await lab.inspect('inventory');
  return Object.values(inventory).reduce((total, items) => total + items.length, 0);
}

async function bareProgram(address, { tasks, readyMs, jobMs }) {
  const file = path.join(root, 'bench', 'bare-program', 'main.cjs');
  const { stdout } = await run(process.execPath, [file, address, tasks, readyMs, jobMs].map(String), { cwd: root });
  return Number(stdout.trim().split('\n').at(-1));
}

/** `begun`: milliseconds since 1970. */
async function timed(work) {
  const begun = Date.now();
  await work();
  return { begun, wallMs: Date.now() - begun };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Measures runs of many tasks beside the bare Temporal program of the same shape, on the same server. All results are ratios or counts. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { openLab, root } from './lab.mjs';

const run = promisify(execFile);

/**
 * Returns the figures of one run: `over` is wall time from command to exit over the critical path (Ready plus job), `bare` the same of
 * the bare program, `cpuPerTask` milliseconds of CPU time, `billed` endpoint time from create to DELETE over what endpoint and job need.
 */
export async function measureScale({ tasks, readyMs, jobMs, policy = 'all_ready', temporal }) {
  const lab = await openLab({ readyMs, jobMs, temporal });
  try {
    const critical = readyMs + jobMs;
    const earlier = (await lab.inspect('requests')).length;
    const before = lab.cpuMs();
    const begun = Date.now();
    await lab.start(tasks, ['-o', `execution.start_policy=${policy}`]);
    const wall = Date.now() - begun;
    const requests = (await lab.inspect('requests')).slice(earlier);
    const at = (method, route) =>
      requests
        .filter((request) => request.method === method && route.test(request.path))
        .map((request) => Date.parse(request.at));
    const creates = at('POST', /^\/deployments$/);
    const deletes = at('DELETE', /^\/deployments\//).slice(0, creates.length);
    const inventory = await lab.inspect('inventory');
    const left = Object.values(inventory).reduce((sum, items) => sum + items.length, 0);
    const memory = lab.workerMegabytes();
    const after = lab.cpuMs();
    const cpuPerTask = Object.fromEntries(Object.keys(after).map((who) => [who, (after[who] - before[who]) / tasks]));
    const bareMs = await bareProgram(lab.temporalAddress(), { tasks, readyMs, jobMs });
    return {
      tasks,
      policy,
      over: wall / critical,
      bare: bareMs / critical,
      firstCreateMs: Math.min(...creates) - begun,
      afterLastDeleteMs: begun + wall - Math.max(...deletes),
      billed: (sum(deletes) - sum(creates)) / (tasks * critical),
      requestsPerTask: requests.length / tasks,
      workerMegabytes: memory,
      cpuPerTask,
      left,
    };
  } finally {
    await lab.close();
  }
}

/** A run of 3 tasks beside a large one on the same worker: its wall time over that of the same run alone. */
export async function measureFairness({ large, readyMs, jobMs }) {
  const lab = await openLab({ readyMs, jobMs });
  try {
    const alone = await timed(() => lab.start(3));
    const big = lab.start(large);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const beside = await timed(() => lab.start(3));
    await big;
    return { large, ratio: beside / alone };
  } finally {
    await lab.close();
  }
}

async function bareProgram(address, { tasks, readyMs, jobMs }) {
  const file = path.join(root, 'bench', 'bare-program', 'main.cjs');
  const { stdout } = await run(process.execPath, [file, address, tasks, readyMs, jobMs].map(String), { cwd: root });
  return Number(stdout.trim().split('\n').at(-1));
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

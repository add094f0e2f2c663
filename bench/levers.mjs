/** Measures what `execution.start_jobs_early` saves on the shipped example, with the real harness and model on the local platform. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { example, openHome } from './lab.mjs';

/** Returns the figures without and with it. The first run provisions everything and is not measured. */
export async function measureLevers(keep) {
  const home = openHome();
  try {
    const start = (isEarly) =>
      home.evalsaga([
        ...['start', example, '--platform', 'local', '--json', '-o', `execution.output_dir=${home.folder}/out`],
        ...['-o', 'execution.start_policy=as_ready', '-o', `+execution.start_jobs_early=${isEarly}`],
      ]);
    await start(false);
    for (const isEarly of [false, true]) {
      const watch = watchReady(home.env.EVALSAGA_HOME);
      const begun = Date.now();
      const { stdout } = await start(isEarly);
      const wallMs = Date.now() - begun;
      keep(figuresOf({ isEarly, wallMs, run: JSON.parse(stdout), readyAt: await watch.end() }));
    }
  } finally {
    await home.close();
  }
}

function figuresOf({ isEarly, wallMs, run, readyAt }) {
  const waits = run.tasks.map(({ endpoint, outputDir }) => firstRequestAt(outputDir) - readyAt.get(endpoint));
  const total = (of) => run.tasks.reduce((sum, { costs }) => sum + costs[of], 0);
  return {
    isEarly,
    tasks: run.tasks.length,
    readyToRequestMs: waits.reduce((sum, ms) => sum + ms, 0) / waits.length,
    billedSeconds: total('endpointSeconds'),
    requestSeconds: total('requestSeconds'),
    wallMs,
  };
}

/** Milliseconds since 1970, by what the evaluator wrote. */
function firstRequestAt(folder) {
  const { response_stats: stats } = JSON.parse(readFileSync(path.join(folder, 'eval_factory_metrics.json'), 'utf8'));
  return (stats.last_request_time - stats.inference_time) * 1000;
}

/** Looks four times per second which endpoints of the home's platform are Ready. `end` resolves to when each was first seen so, by name. */
function watchReady(home) {
  const readyAt = new Map();
  let over = false;
  const watching = (async () => {
    while (!over) {
      for (const { metadata, status } of await deployments(home).catch(() => []))
        if (status?.state === 'Ready' && !readyAt.has(metadata.name)) readyAt.set(metadata.name, Date.now());
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  return {
    async end() {
      over = true;
      await watching;
      return readyAt;
    },
  };
}

async function deployments(home) {
  const { url, token } = JSON.parse(readFileSync(path.join(home, 'platform', 'access.json'), 'utf8'));
  const answer = await fetch(`${url}/deployments`, { headers: { authorization: `Bearer ${token}` } });
  return answer.json();
}

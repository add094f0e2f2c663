/**
 * Measures the built product, and keeps the figures in bench/RESULTS.md. Times are also given as ratios, which are comparable between
 * machines; absolute values are shown with their budgets. Exceeding one is not a failure.
 *
 *   npm run bench                          commands, a run on the simulated platform, size of the production install
 *   npm run bench -- --full                also the shipped example with real model and harness, warm
 *   npm run bench -- --scale 3,30,100      runs of that many tasks beside a bare Temporal program
 *                    [--policy as_ready]   only with that start policy
 *                    [--realistic]         with Ready after 60 s and jobs of 120 s instead of 5 s and 5 s, without the bare program
 *                    [--cluster]           on Temporal Server with PostgreSQL, as npm run test:cluster builds it
 *                    [--temporal HOST:PORT] on another server
 *   npm run bench -- --fairness 300        a run of 3 tasks beside one of so many
 *   npm run bench -- --workers 2           so many workers on one queue, beside one alone, and with one killed in the middle
 *                    [--tasks 100]
 *   npm run bench -- --peer FOLDER         NVIDIA's launcher, by the run_peer.py in that folder
 *                    [--tasks 3]
 *   npm run bench -- --levers              what execution.start_jobs_early saves on the shipped example, with the real harness
 *
 * The last four and --scale can be combined.
 */
import { execFile, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { openCluster } from './cluster.mjs';
import { example, firstLine, inspect, openHome, program } from './lab.mjs';
import { measureLevers } from './levers.mjs';
import { measurePeer } from './peer.mjs';
import { keepRow } from './results.mjs';
import { measureFairness, measureScale, measureWorkers } from './scale.mjs';
import { installPacked, megabytesOf } from '../scripts/install-packed.cjs';

const run = promisify(execFile);

const { values: options } = parseArgs({
  options: {
    full: { type: 'boolean' },
    scale: { type: 'string' },
    policy: { type: 'string' },
    realistic: { type: 'boolean' },
    cluster: { type: 'boolean' },
    temporal: { type: 'string' },
    fairness: { type: 'string' },
    workers: { type: 'string' },
    tasks: { type: 'string' },
    peer: { type: 'string' },
    levers: { type: 'boolean' },
  },
});

const quick = { readyMs: 5_000, jobMs: 5_000 };
const realistic = { readyMs: 60_000, jobMs: 120_000 };

const { scale, fairness, workers, peer, levers } = options;
if (scale ?? fairness ?? workers ?? peer ?? levers) {
  if (scale) await measureScales(scale.split(',').map(Number));
  if (fairness) await keepFairness(Number(fairness));
  if (workers) await keepWorkers(Number(workers), Number(options.tasks ?? 100));
  if (levers) await measureLevers((figures) => keepRow('levers', String(figures.isEarly), figures));
  if (peer) await keepPeer(peer, Number(options.tasks ?? 3));
  process.exit(0);
}

async function measureScales(sizes) {
  const cluster = options.cluster ? await openCluster() : undefined;
  const at = cluster
    ? { server: 'Temporal Server with PostgreSQL', temporal: cluster.address }
    : options.temporal
      ? { server: 'another Temporal server', temporal: options.temporal }
      : { server: 'embedded' };
  const times = options.realistic ? realistic : quick;
  try {
    for (const tasks of sizes) {
      for (const policy of options.policy ? [options.policy] : ['all_ready', 'as_ready']) {
        const figures = await measureScale({ ...times, ...at, tasks, policy, withBare: !options.realistic });
        const { server, readyMs, jobMs } = figures;
        keepRow('scale', `${server}, ${readyMs} + ${jobMs} ms, ${tasks} tasks, ${policy}`, figures);
      }
    }
  } finally {
    await cluster?.close();
  }
}

async function keepFairness(large) {
  keepRow('fairness', `${large} tasks`, await measureFairness({ ...quick, large }));
}

async function keepWorkers(count, tasks) {
  const keep = (figures) =>
    keepRow('workers', `${tasks} tasks, workers: ${figures.workers}${figures.killed ? ', one killed' : ''}`, figures);
  const measure = (number, kill = false) => measureWorkers({ ...quick, tasks, workers: number, kill });
  keep(await measure(1));
  if (count < 2) return;
  const whole = await measure(count);
  keep(whole);
  const killed = await measure(count, true);
  keep({ ...killed, lostMs: killed.wallMs - whole.wallMs });
}

async function keepPeer(from, tasks) {
  const figures = await measurePeer({ ...quick, folder: from, tasks });
  keepRow('peer', `${tasks} tasks`, figures);
}

const { folder, env, evalsaga, close } = openHome();

const rows = [];

try {
  const baseline = await median(5, () => run(process.execPath, ['-e', '0']));
  row('node -e 0', baseline, { baseline });
  row('evalsaga --help', await median(5, () => evalsaga(['--help'])), { baseline });
  row('start --dry-run, 3 tasks', await median(5, () => evalsaga(['start', example, '--dry-run'])), {
    baseline,
    budget: 1_500,
  });
  const many = path.join(folder, 'many.yaml');
  writeFileSync(many, manyTasks(300));
  row('start --dry-run, 300 tasks', await median(3, () => evalsaga(['start', many, '--dry-run'])), {
    baseline,
    budget: 2_000,
  });
  await simulatedRun(baseline);
  await productionInstall();
  if (options.full) await fullExample(baseline);
  print();
  rows.forEach((entry, at) => keepRow('basics', entry.what, { ...entry, at }));
} finally {
  await close();
}

/** Measures when create requests are sent, and how far apart, on the simulated platform. */
async function simulatedRun(baseline) {
  const plan = path.join(folder, 'plan.yaml');
  writeFileSync(plan, 'endpoints:\n  default: { states: [[Starting, 500ms], [Ready]] }\n');
  const platform = spawn(process.execPath, [program, 'platform', '--runtime', 'simulated', '--plan', plan], { env });
  const access = JSON.parse(await firstLine(platform.stdout));
  const lepton = {
    LEPTON_WORKSPACE_ID: access.workspace,
    LEPTON_WORKSPACE_TOKEN: access.token,
    LEPTON_WORKSPACE_URL: access.url,
  };
  try {
    for (const label of ['cold stack', 'warm stack']) {
      const begun = Date.now();
      await evalsaga(['start', example, '-o', `execution.output_dir=${path.join(folder, 'out')}`], lepton);
      const whole = Date.now() - begun;
      const creates = (await inspect(access, 'requests')).filter(
        ({ method, path: route }) => method === 'POST' && route === '/deployments',
      );
      const times = creates.map(({ at }) => Date.parse(at)).filter((at) => at >= begun);
      row(`first create, ${label}`, Math.min(...times) - begun, { baseline, budget: 8_000 });
      row(`spread of 3 creates, ${label}`, Math.max(...times) - Math.min(...times), { baseline, budget: 1_000 });
      row(`whole simulated run, ${label}`, whole, { baseline });
    }
    const id = JSON.parse((await evalsaga(['ls', 'runs', '--json'])).stdout);
    const invocation = (Array.isArray(id) ? id : id.runs)[0].invocation;
    row('status ID', await median(5, () => evalsaga(['status', invocation])), { baseline, budget: 1_500 });
    const worker = JSON.parse(readFileSync(path.join(env.EVALSAGA_HOME, 'stack', 'worker.json'), 'utf8'));
    memory('worker', worker.pid, 300);
  } finally {
    platform.kill();
  }
}

/** What `npm install evalsaga` puts on a disk, and the part of it that is Temporal's native core. */
async function productionInstall() {
  const { project } = await installPacked(folder);
  const modules = path.join(project, 'node_modules');
  const size = (what, name) => {
    const value = `${Math.round(megabytesOf(path.join(modules, name)))} MB`;
    rows.push({ what, value, ratio: '', budget: '' });
  };
  size('production install', '.');
  size("  of it Temporal's core", '@temporalio/core-bridge');
  size('  of it evalsaga', 'evalsaga');
}

async function fullExample(baseline) {
  const args = ['start', example, '--platform', 'local', '-o', `execution.output_dir=${path.join(folder, 'full')}`];
  row('example, all provisioning', await timed(() => evalsaga(args)), { baseline, budget: 360_000 });
  const peaks = new Map();
  const watch = setInterval(() => void modelServers(peaks), 1_000);
  row('example, warm', await timed(() => evalsaga(args)), { baseline, budget: 150_000 });
  clearInterval(watch);
  const peak = Math.max(0, ...peaks.values());
  rows.push({ what: 'largest model server, peak RSS', value: `${Math.round(peak)} MB`, ratio: '', budget: '700 MB' });
}

async function modelServers(peaks) {
  const { stdout } = await run('ps', ['-eo', 'pid=,rss=,args=']);
  for (const line of stdout.split('\n')) {
    const [, pid, rss] = /^\s*(\d+)\s+(\d+)\s.*model-server\/main\.js/.exec(line) ?? [];
    if (pid) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, Number(rss) / 1024));
  }
}

function memory(what, pid, budget) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
  rows.push({ what: `${what}, peak RSS`, value: `${Math.round(megabytes)} MB`, ratio: '', budget: `${budget} MB` });
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function median(times, work) {
  const taken = [];
  for (let i = 0; i < times; i += 1) taken.push(await timed(work));
  return taken.sort((a, b) => a - b)[Math.floor(times / 2)];
}

function row(what, ms, { baseline, budget }) {
  const shown = (value) => (value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`);
  rows.push({ what, value: shown(ms), ratio: (ms / baseline).toFixed(1), budget: budget ? shown(budget) : '' });
}

function print() {
  const columns = ['what', 'value', 'ratio', 'budget'];
  const width = (column) => Math.max(column.length, ...rows.map((entry) => String(entry[column]).length));
  const line = (entry) => columns.map((column) => String(entry[column]).padEnd(width(column))).join('  ');
  console.log(line({ what: 'what', value: 'value', ratio: '× node', budget: 'budget' }));
  for (const entry of rows) console.log(line(entry));
}

function manyTasks(count) {
  const text = readFileSync(example, 'utf8');
  const head = text.slice(0, text.indexOf('  tasks:'));
  return `${head}  tasks:\n${Array.from({ length: count }, () => '    - name: hellaswag\n').join('')}`;
}

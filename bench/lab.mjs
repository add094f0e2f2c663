/** A stack of its own for measurements: a home, a simulated platform, and the built program. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const program = path.join(root, 'dist', 'cli', 'main.js');
export const example = path.join(root, 'examples', 'lepton_vllm.yaml');
const benchmarks = ['hellaswag', 'arc_challenge', 'winogrande'];
const warmUp = 'piqa';

/** What is open, with what closes it: an interrupted measurement must leave no worker to disturb the next one. */
const opened = new Map();

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.once(signal, () => {
    console.error('ending what was started …');
    void Promise.all([...opened.values()].map((close) => close())).finally(() => process.exit(code));
  });

/** Returns a new folder with a home, and what runs the program in it. Call `close` in the end. */
export function openHome() {
  const folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-bench-'));
  const env = { ...process.env, EVALSAGA_HOME: path.join(folder, 'home'), NO_COLOR: '1' };
  for (const name of Object.keys(env))
    if (/^(LEPTON_|TEMPORAL_(?!CLI_PATH)|EVALSAGA_(?!HOME))/.test(name)) delete env[name];
  const evalsaga = (args, extra = {}) =>
    run(process.execPath, [program, ...args], { env: { ...env, ...extra }, cwd: folder, maxBuffer: 1 << 28 });
  const close = async () => {
    await evalsaga(['down', '--force']).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
    opened.delete(folder);
  };
  opened.set(folder, close);
  return { folder, env, evalsaga, close };
}

/** Opens a lab. `temporal`: another server (`host:port`) than the embedded one. Call `close` in the end. */
export async function openLab({ readyMs, jobMs, temporal }) {
  const { folder, env, evalsaga, close } = openHome();
  // Other users of that server have other queues.
  if (temporal) Object.assign(env, { TEMPORAL_ADDRESS: temporal, EVALSAGA_TASK_QUEUE: path.basename(folder) });
  const plan = path.join(folder, 'plan.yaml');
  writeFileSync(plan, planOf({ readyMs, jobMs }));
  const options = ['platform', '--runtime', 'simulated', '--plan', plan, '--port', '0'];
  const platform = spawn(process.execPath, [program, ...options], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const access = JSON.parse(await firstLine(platform.stdout));
  Object.assign(env, {
    LEPTON_WORKSPACE_ID: access.workspace,
    LEPTON_WORKSPACE_TOKEN: access.token,
    LEPTON_WORKSPACE_URL: access.url,
  });
  const others = [];
  const lab = {
    inspect: (what) => inspect(access, what),
    start: (tasks, args = [], names = benchmarks) =>
      evalsaga([
        'start',
        configOf(folder, tasks, names),
        '--json',
        '-o',
        `execution.output_dir=${folder}/out`,
        ...args,
      ]),
    /** CPU time so far, milliseconds. Linux only; NaN elsewhere. */
    cpuMs: () => ({
      worker: cpuMs(record(env, 'worker').pid),
      server: temporal ? Number.NaN : cpuMs(record(env, 'temporal').pid),
      platform: cpuMs(platform.pid),
    }),
    workerMegabytes: () => peakMegabytes(record(env, 'worker').pid),
    temporalAddress: () => temporal ?? `127.0.0.1:${record(env, 'temporal').ports.grpc}`,
    /** Starts another worker on the queue of the background worker; resolves to it once it takes work. */
    startWorker: async () => {
      const worker = await workerBeside(env, record(env, 'worker').serves);
      others.push(worker);
      return worker;
    },
    close: async () => {
      for (const worker of others) await worker.end('SIGTERM');
      await close();
      platform.kill();
    },
  };
  opened.set(folder, lab.close);
  try {
    await evalsaga(['up']);
    await lab.start(1, [], [warmUp]);
    return lab;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

async function workerBeside(env, { address, namespace, taskQueue, isEmbedded }) {
  const server = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
  const own = { EVALSAGA_TASK_QUEUE: taskQueue, EVALSAGA_LOG_LEVEL: 'info', MALLOC_ARENA_MAX: '2' };
  const child = spawn(process.execPath, [program, 'worker'], {
    env: { ...env, ...server, ...own, ...(isEmbedded ? { TEMPORAL_CONFIG_FILE: devNull } : {}) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const over = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve, reject) => {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-10_000);
      if (said.includes('RUNNING')) resolve();
    });
    void over.then((code) => reject(new Error(`a worker ended with ${code}: ${said}`)));
  });
  return {
    end: async (signal) => {
      child.kill(signal);
      await over;
    },
  };
}

/** The task that each stack runs before it is measured takes no time of its own, whatever the others take. */
const planOf = ({ readyMs, jobMs }) => `endpoints:
  default: { states: [[Starting, ${readyMs}ms], [Ready]] }
  match: [{ name: '*${warmUp}*', states: [[Ready]] }]
jobs:
  default: { states: [[Running, ${jobMs}ms], [Completed]] }
  match: [{ name: '*${warmUp}*', states: [[Completed]] }]
`;

function configOf(folder, tasks, names) {
  const text = readFileSync(example, 'utf8');
  const listed = Array.from({ length: tasks }, (_, index) => `    - name: ${names[index % names.length]}\n`);
  const file = path.join(folder, `tasks-${tasks}.yaml`);
  writeFileSync(file, `${text.slice(0, text.indexOf('  tasks:'))}  tasks:\n${listed.join('')}`);
  return file;
}

const record = (env, name) => JSON.parse(readFileSync(path.join(env.EVALSAGA_HOME, 'stack', `${name}.json`), 'utf8'));

function cpuMs(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name in parentheses; user and system time in hundredths of a second.
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return (Number(user) + Number(system)) * 10;
  } catch {
    return Number.NaN;
  }
}

/** Linux only; NaN elsewhere. */
function peakMegabytes(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

/** Returns what the simulated platform tells at `/__sim/WHAT`. */
export async function inspect({ url, token }, what) {
  const answer = await fetch(new URL(`/__sim/${what}`, url), { headers: { authorization: `Bearer ${token}` } });
  return answer.json();
}

/** Resolves to the first line that a process prints. */
export function firstLine(stream) {
  return new Promise((resolve) => {
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.split('\n')[0]);
    });
  });
}

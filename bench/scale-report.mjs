/** Runs the measurements of `scale.mjs` and writes bench/RESULTS.md: ratios and counts, with machine, versions and how to repeat them. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem, type } from 'node:os';
import path from 'node:path';
import { root } from './lab.mjs';
import { measureFairness, measureScale } from './scale.mjs';

const policies = ['all_ready', 'as_ready'];

export async function writeScaleReport(options) {
  const [readyMs, jobMs] = options.realistic ? [60_000, 120_000] : [5_000, 5_000];
  const rows = [];
  for (const tasks of options.scale.split(',').map(Number)) {
    for (const policy of policies) {
      const figures = await measureScale({ tasks, readyMs, jobMs, policy, temporal: options.temporal });
      console.error(JSON.stringify(figures));
      rows.push(figures);
    }
  }
  const peers = options.peer
    ? options.scale.split(',').map((tasks) => peer(options.peer, tasks, { readyMs, jobMs }))
    : [];
  const fair = options.fairness
    ? await measureFairness({ large: Number(options.fairness), readyMs, jobMs })
    : undefined;
  const text = render({ rows, peers, fair, readyMs, jobMs, options });
  const file = path.join(root, 'bench', options.realistic ? 'RESULTS-realistic.md' : 'RESULTS.md');
  writeFileSync(file, text);
  console.log(text);
}

function peer(folder, tasks, { readyMs, jobMs }) {
  const times = ['--ready-s', readyMs / 1000, '--job-s', jobMs / 1000].map(String);
  const venv = ['--venv', path.join(folder, '.venv'), '--make-venv'];
  const args = [path.join(folder, 'run_peer.py'), ...venv, '--n', tasks, ...times];
  const line = execFileSync('python3', args, { encoding: 'utf8' }).trim().split('\n').at(-1);
  return { tasks: Number(tasks), figures: JSON.parse(line) };
}

function render({ rows, peers, fair, readyMs, jobMs, options }) {
  const git = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const sdk = JSON.parse(readFileSync(path.join(root, 'node_modules/@temporalio/worker/package.json'), 'utf8')).version;
  const table = [
    [
      'tasks',
      'policy',
      'over',
      'bare program',
      'ratio',
      'first create',
      'exit after the last DELETE',
      'billed over needed',
      'requests per task',
      'CPU per task: worker, server, platform',
      'worker',
      'left',
    ],
    ...rows.map((row) => [
      row.tasks,
      row.policy,
      row.over.toFixed(2),
      row.bare.toFixed(2),
      (row.over / row.bare).toFixed(2),
      `${(row.firstCreateMs / 1000).toFixed(2)} s`,
      `${(row.afterLastDeleteMs / 1000).toFixed(2)} s`,
      row.billed.toFixed(2),
      row.requestsPerTask.toFixed(1),
      `${Object.values(row.cpuPerTask).map(Math.round).join(', ')} ms`,
      `${Math.round(row.workerMegabytes)} MB`,
      row.left,
    ]),
  ];
  const flags = Object.entries(options).map(([name, value]) => (value === true ? `--${name}` : `--${name} ${value}`));
  return `# Measured

${new Date().toISOString().slice(0, 10)}, commit ${git}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GB, ${type()}, Node ${process.version}, Temporal SDK ${sdk}, ${options.temporal ? 'a Temporal cluster' : 'embedded Temporal server'}; client, worker, server and simulated platform share the cores. Endpoints Ready after ${readyMs / 1000} s, jobs of ${jobMs / 1000} s, one run each.

${markdown(table)}

- **over**: wall time from command to exit, over the critical path (Ready plus job). **bare program**: the same of a Temporal program of the same
  shape that does nothing (\`bench/bare-program\`), on the same server. **ratio**: the one over the other.
- **billed over needed**: endpoint time from create to DELETE over Ready plus job; with \`all_ready\` it contains the wait for the slowest endpoint.
${fair ? `- **Fairness**: a run of 3 tasks beside one of ${fair.large} on one worker takes ${fair.ratio.toFixed(2)} times its time alone.\n` : ''}${peers.map(({ tasks, figures }) => `- **NVIDIA's launcher**, ${tasks} tasks: \`${JSON.stringify(figures)}\`\n`).join('')}
Repeat, alone on the machine: \`npm run bench -- ${flags.join(' ')}\`
`;
}

const markdown = ([head, ...rows]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

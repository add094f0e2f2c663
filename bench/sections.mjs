/** The tables of bench/RESULTS.md: for each kind of row its columns, their order, and what the words mean. */

const ratio = (value) => (Number.isFinite(value) ? value.toFixed(2) : '');
const seconds = (ms) => (Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)} s` : '');
const megabytes = (value) => (Number.isFinite(value) ? `${Math.round(value)} MB` : '');
const each = (values) =>
  `${Object.values(values)
    .map((value) => (value === null ? '–' : Math.round(value)))
    .join(', ')} ms`;
const times = ({ readyMs, jobMs }) => `${readyMs / 1000} + ${jobMs / 1000} s`;
const repeat = (args) => `Repeat: \`npm run bench -- ${args}\``;

export const sections = [
  {
    kind: 'scale',
    title: 'Runs of many tasks',
    order: ({ server, readyMs, jobMs, tasks }) => (server === 'embedded' ? 0 : 1e9) + (readyMs + jobMs) * 1e3 + tasks,
    columns: [
      ['server', ({ server }) => server],
      ['Ready + job', times],
      ['tasks', ({ tasks }) => tasks],
      ['policy', ({ policy }) => policy],
      ['over', ({ over }) => ratio(over)],
      ['bare program', ({ bare }) => ratio(bare)],
      ['ratio', ({ over, bare }) => ratio(over / bare)],
      ['first create', ({ firstCreateMs }) => seconds(firstCreateMs)],
      ['exit after the last endpoint', ({ afterLastEndpointMs }) => seconds(afterLastEndpointMs)],
      ['after the last DELETE', ({ afterLastDeleteMs }) => seconds(afterLastDeleteMs)],
      ['billed over needed', ({ billed }) => ratio(billed)],
      ['requests per task', ({ requestsPerTask }) => requestsPerTask.toFixed(1)],
      ['CPU per task: worker, server, platform', ({ cpuPerTask }) => each(cpuPerTask)],
      ['worker', ({ workerMegabytes }) => megabytes(workerMegabytes)],
      ['left', ({ left }) => left],
    ],
    notes: `- **over**: wall time from command to exit, over the critical path (Ready plus job). **bare program**: the same of a Temporal program of the same
  shape that does nothing (\`bench/bare-program\`), on the same server. **ratio**: the one over the other.
- **billed over needed**: endpoint time from create to DELETE over Ready plus job; with \`all_ready\` it contains the wait for the slowest endpoint.
- **server**: the embedded one, or a real Temporal Server with PostgreSQL (\`--cluster\`).

${repeat('--scale 3,30,100')}, with \`--realistic\`, \`--cluster\`, \`--temporal HOST:PORT\`, \`--policy as_ready\`.`,
  },
  {
    kind: 'fairness',
    title: 'A small run beside a large one',
    order: ({ large }) => large,
    columns: [
      ['tasks of the large run', ({ large }) => large],
      ['3 tasks alone', ({ aloneMs }) => seconds(aloneMs)],
      ['3 tasks beside it', ({ besideMs }) => seconds(besideMs)],
      ['ratio', ({ aloneMs, besideMs }) => ratio(besideMs / aloneMs)],
      ['tasks of the large run that were over when the small one ended', ({ overMeanwhile }) => overMeanwhile],
    ],
    notes: `One worker, embedded server, endpoints Ready after 5 s, jobs of 5 s; the small run starts two seconds after the large one.

${repeat('--fairness 300')}`,
  },
  {
    kind: 'workers',
    title: 'Several workers on one queue',
    order: ({ tasks }) => tasks,
    columns: [
      ['tasks', ({ tasks }) => tasks],
      ['workers', ({ workers }) => workers],
      ['killed in the middle', ({ killed }) => (killed ? 'one, kill -9' : 'none')],
      ['over', ({ over }) => ratio(over)],
      ['lost by the kill', ({ lostMs }) => seconds(lostMs)],
      ['left', ({ left }) => left],
    ],
    notes: `**over** as above, \`as_ready\`. **lost by the kill**: compared with as many workers and none killed. A dead worker is noticed by its heartbeats: 30 s for waits.

${repeat('--workers 2 --tasks 100')}`,
  },
  {
    kind: 'peer',
    title: "NVIDIA's launcher on the same machine",
    order: ({ n }) => n,
    columns: [
      ['tasks', ({ n }) => n],
      ['first create', ({ first_endpoint_s: value }) => seconds(value * 1000)],
      ['all jobs submitted', ({ submitted_s: value }) => seconds(value * 1000)],
      ['all jobs completed, over', ({ ratio: value }) => ratio(value)],
      ['user sees done, over', ({ ratio_seen: value }) => ratio(value)],
      ['requests per task', ({ requests_per_task: value }) => value],
      ['billed over needed', ({ endpoint_s_ratio: value }) => ratio(value)],
      ['summed memory', ({ peak_rss_mib: value }) => `${value} MiB`],
      [
        'left: endpoints, jobs',
        ({ left_endpoints: endpoints, left_jobs: jobs }) => `${endpoints.length}, ${jobs.length}`,
      ],
    ],
    notes: `nemo-evaluator-launcher with \`lep\`, driven as a user would (\`run\`, \`status\` every 10 s, \`kill\`), against a stand-in for Lepton with endpoints Ready after 5 s and jobs of 5 s.

${repeat('--peer FOLDER --tasks 3')}, with \`run_peer.py\` in that folder.`,
  },
  {
    kind: 'levers',
    title: 'What start_jobs_early saves',
    order: ({ isEarly }) => (isEarly ? 1 : 0),
    columns: [
      ['execution.start_jobs_early', ({ isEarly }) => isEarly],
      ['tasks', ({ tasks }) => tasks],
      ['from Ready to the first request, mean', ({ readyToRequestMs }) => seconds(readyToRequestMs)],
      ['endpoint-seconds billed, all tasks', ({ billedSeconds }) => billedSeconds.toFixed(1)],
      ['of them with requests under way', ({ requestSeconds }) => requestSeconds.toFixed(1)],
      ['whole run', ({ wallMs }) => seconds(wallMs)],
    ],
    notes: `The shipped example on the local platform, with the real harness and model, everything provisioned before, \`start_policy: as_ready\`. Model server and harness share two cores
here, so that a harness which starts early slows the loading of its model; on a platform they don't meet.

${repeat('--levers')}`,
  },
  {
    kind: 'basics',
    title: 'Commands and size',
    order: ({ at }) => at,
    columns: [
      ['what', ({ what }) => what.trim()],
      ['value', ({ value }) => value],
      ['× `node -e 0`', ({ ratio: value }) => value],
      ['budget', ({ budget }) => budget],
    ],
    notes: repeat('').replace(' -- ', ''),
  },
];

import type { Command } from './command';
import { json, platform } from './common-options';

/** Commands that start, stop or are the processes behind the others. */
export const serviceCommands: readonly Command[] = [
  {
    name: 'up',
    arguments: [],
    summary: 'start the background processes that are not running: Temporal, worker, local platform',
    options: [platform, json],
    examples: ['up'],
    load: async () => (await import('./commands/up.js')).up,
  },
  {
    name: 'down',
    arguments: [],
    summary: 'stop the background processes of this home',
    options: [{ form: '--force', meaning: 'also while runs are open; they continue at the next `up`' }],
    examples: ['down'],
    load: async () => (await import('./commands/down.js')).down,
  },
  {
    name: 'platform',
    arguments: [],
    summary: "serve Lepton's workspace API on this machine until interrupted",
    options: [
      {
        form: '--runtime <runtime>',
        meaning: 'how deployments and jobs run',
        choices: ['process', 'docker', 'simulated'],
        default: 'process',
      },
      { form: '--plan <file>', meaning: 'simulated: states and faults to play' },
      { form: '--port <port>', meaning: '0: any free port', default: '0' },
      {
        form: '--state <folder>',
        meaning: 'state that survives restarts (default: below EVALSAGA_HOME)',
      },
      { form: '--workspace <id>', meaning: "the workspace's id" },
      { form: '--dialect <dialect>', meaning: "dialect of Lepton's deployment API", choices: ['classic', 'new'] },
      {
        form: '--secure-endpoints',
        meaning: 'protect endpoints that are created without tokens, like a workspace with secure endpoint defaults',
      },
      { form: '--no-storage-api', meaning: 'a workspace whose API has no /storage, like newer ones of Lepton' },
    ],
    examples: ['platform --runtime simulated --plan plan.yaml --port 0'],
    load: async () => (await import('./commands/platform.js')).platform,
  },
  {
    name: 'key',
    arguments: [['[file]', 'file for the key']],
    summary: 'make a key that encrypts everything that Temporal keeps of runs',
    options: [{ form: '--rotate', meaning: 'add a new key to the file, which is used from then on' }],
    examples: ['key ~/.config/evalsaga.key'],
    load: async () => (await import('./commands/key.js')).key,
  },
  {
    name: 'codec-server',
    arguments: [],
    summary: "decrypt for Temporal's Web UI on this machine, until interrupted",
    options: [
      { form: '--port <port>', meaning: '0: any free port', default: '0' },
      { form: '--origin <url>', meaning: "the Web UI's address, if it is not known", repeated: true },
    ],
    examples: ['codec-server --port 8081', 'codec-server --origin https://temporal.example'],
    load: async () => (await import('./commands/codec-server.js')).codecServer,
  },
  {
    name: 'worker',
    arguments: [],
    summary: 'run a worker for any Temporal cluster (TEMPORAL_ADDRESS or a profile), until interrupted',
    options: [],
    examples: ['worker'],
    load: async () => (await import('./commands/worker.js')).worker,
  },
];

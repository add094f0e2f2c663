import type { Command, CommandOption } from './command';
import { configCommands } from './config-commands';
import { comparingCommands } from './comparing-commands';
import { exportingCommands } from './exporting-commands';
import { retryCommand } from './retry-command';
import { serviceCommands } from './service-commands';
import { json, platform, strict } from './common-options';

const configOptions: readonly CommandOption[] = [
  { form: '--config-dir <folder>', meaning: 'folder of the config and of its own groups' },
  { form: '--config-name <name>', meaning: 'name of the config in --config-dir, without .yaml' },
  { form: '-o, --override <key=value>', meaning: 'Hydra-style override: a.b=c, +a=b, ~a', repeated: true },
  {
    form: '--executor <executor>',
    meaning: 'run a config that was written for another executor (local, Slurm) on Lepton',
    choices: ['lepton'],
  },
  { form: '-t, --task <name>', meaning: 'only this task of the config', repeated: true },
  { form: '--model <name>', meaning: "only this one of the config's models", repeated: true },
  { form: '--env-file <file>', meaning: 'variables for ${oc.env:…} and secrets (default: .env here, if any)' },
];
const config = ['[config]', 'YAML file of the run'] as const;
const id = ['<id>', "the run's id or its first digits, or its name"] as const;
const taskId = ['<id>', "the run's id or its first digits, or its name; with .N, its task N"] as const;

export const commands: readonly Command[] = [
  {
    name: 'start',
    arguments: [config],
    summary: 'run an evaluation: deploy endpoints, run the tasks, fetch the results, tear everything down',
    options: [
      ...configOptions,
      platform,
      { form: '-n, --name <name>', meaning: 'name of the run, which every command takes in place of its id' },
      {
        form: '--run-id <name>',
        meaning: 'name (or id) of the run; a run of this config that has it is attached to instead of starting another',
      },
      { form: '--tag <key=value>', meaning: 'label of the run, for ls runs --tag', repeated: true },
      { form: '--dry-run', meaning: 'print the endpoints and jobs that would be created; create nothing' },
      { form: '--detach', meaning: 'return once the run is started' },
      strict,
      json,
    ],
    examples: ['start examples/lepton_vllm.yaml', 'start run.yaml -o execution.output_dir=/tmp/results -t hellaswag'],
    load: async () => (await import('./commands/start.js')).start,
  },
  {
    name: 'status',
    arguments: [
      ['[id]', "the run's id or its first digits, or its name; without it: background processes and recent runs"],
    ],
    summary: 'show a run, or the background processes and recent runs',
    options: [
      { form: '-w, --watch', meaning: 'show the run until it ends, and exit as it ended; Ctrl-C leaves it alone' },
      json,
    ],
    examples: ['status', 'status 3f2a', 'status 3f2a --watch'],
    load: async () => (await import('./commands/status.js')).status,
  },
  {
    name: 'logs',
    arguments: [taskId],
    summary: "print the jobs' logs, during the run and afterwards",
    options: [
      { form: '--endpoint', meaning: "the endpoints' logs instead" },
      { form: '-f, --follow', meaning: 'follow the log until the job or endpoint ends' },
      { form: '--tail <lines>', meaning: 'only the last lines' },
      {
        form: '--since <time>',
        meaning: 'only lines written since then: a duration (90s, 10m, 2h, 1d) or an ISO 8601 time',
      },
    ],
    examples: ['logs 3f2a.0 -f', 'logs 3f2a --tail 50', 'logs 3f2a --endpoint --since 10m'],
    load: async () => (await import('./commands/logs.js')).logs,
  },
  {
    name: 'cancel',
    arguments: [taskId],
    summary: 'end a run or one task of it, and wait until everything is torn down',
    options: [{ form: '--no-wait', meaning: 'return at once; teardown continues' }, json],
    examples: ['cancel 3f2a', 'cancel 3f2a.1'],
    load: async () => (await import('./commands/cancel.js')).cancel,
  },
  retryCommand,
  {
    name: 'ls',
    arguments: [
      ['[what]', 'runs (default), tasks, or task'],
      ['[name]', 'with task: its name; with tasks: part of a name, e.g. mmlu or gsm8k*'],
    ],
    summary: 'list runs, or the tasks that can be evaluated',
    options: [
      {
        form: '--from <image>',
        meaning: 'the tasks that an evaluation image has, read from its registry (login: as docker has it)',
      },
      { form: '--limit <count>', meaning: 'maximum number of runs', default: '20' },
      { form: '--since <time>', meaning: 'only runs started since then: a duration (90s, 10m, 2h, 1d) or a time' },
      {
        form: '--status <status>',
        meaning: 'only runs with this status',
        choices: ['running', 'waiting', 'succeeded', 'failed', 'cancelled', 'terminated', 'teardown incomplete'],
      },
      { form: '--model <text>', meaning: 'only runs whose model has this in its name; * for any letters' },
      { form: '--owner <name>', meaning: 'only runs that they started; * for any letters' },
      { form: '--name <text>', meaning: 'only runs with this in their name; * for any letters' },
      {
        form: '--tag <key=value>',
        meaning: 'only runs with this tag, or with KEY alone a tag of this key',
        repeated: true,
      },
      json,
    ],
    examples: [
      'ls runs --since 7d --status failed',
      'ls runs --model llama --tag team=search',
      'ls runs --owner ann --status running',
      'ls tasks',
      'ls tasks mmlu',
      'ls task hellaswag',
      'ls tasks --from nvcr.io/nvidia/eval-factory/simple-evals:26.03',
    ],
    load: async () => (await import('./commands/ls.js')).ls,
  },
  {
    name: 'results',
    arguments: [
      ['<ids...>', "the runs' ids, or their first digits; with .N, only task N; with /MODEL, one of its models"],
    ],
    summary: 'print or write the scores of runs, what they took, and what may have spoiled them',
    options: [
      {
        form: '--format <format>',
        meaning: 'table, json, csv, md, junit or html (default: by the name of the file, else table)',
        choices: ['table', 'json', 'csv', 'md', 'junit', 'html'],
      },
      { form: '-o, --output <file>', meaning: 'write to this file' },
      { form: '--download <folder>', meaning: "first copy the run's files to this folder, from its results store" },
      strict,
      json,
    ],
    examples: [
      'results 3f2a',
      'results 3f2a 8c01',
      'results 3f2a -o scores.csv',
      'results 3f2a --format html -o report.html',
      'results 3f2a --download ./3f2a',
    ],
    load: async () => (await import('./commands/results.js')).results,
  },
  ...comparingCommands,
  ...exportingCommands,
  {
    name: 'fetch',
    arguments: [id],
    summary: "copy a run's files from its results store to this machine",
    options: [
      {
        form: '--output-dir <folder>',
        meaning: "where to: <folder>/<id> (default: the run's output_dir; for a run of another machine: results)",
      },
      json,
    ],
    examples: ['fetch 3f2a', 'fetch 3f2a --output-dir /data/results'],
    load: async () => (await import('./commands/fetch.js')).fetchResults,
  },
  {
    name: 'cleanup',
    arguments: [id],
    summary: 'remove what is left of a run that has ended: endpoints, jobs, and storage once it is fetched',
    options: [
      { form: '--discard', meaning: 'remove storage without fetching it' },
      {
        form: '--force',
        meaning: "also if it is not certain that the run is over, because its Temporal server can't be asked from here",
      },
      { form: '--terminate', meaning: "also a run that is open but can't continue: it is terminated" },
      {
        form: '--output-dir <folder>',
        meaning: 'for results of a run that was not started on this host',
        default: 'results',
      },
      { form: '--storage <path>', meaning: "the run's folder in storage, if neither this host nor Temporal knows it" },
      platform,
      json,
    ],
    examples: ['cleanup 3f2a', 'cleanup 3f2a9c0b1d2e4f56 --platform lepton --discard'],
    load: async () => (await import('./commands/cleanup.js')).cleanup,
  },
  {
    name: 'sweep',
    arguments: [],
    summary: 'remove what outlived its task, of all runs of this Temporal server',
    options: [
      { form: '--dry-run', meaning: 'only print what would be removed' },
      { form: '--grace <seconds>', meaning: 'spare what lost its owner less than this long ago (default: 180)' },
      platform,
      json,
    ],
    examples: ['sweep --dry-run'],
    load: async () => (await import('./commands/sweep.js')).sweep,
  },
  {
    name: 'doctor',
    arguments: [config],
    summary: 'check everything that a run needs, and say what to do about what is missing; changes nothing',
    options: [...configOptions, platform, json],
    examples: ['doctor', 'doctor examples/lepton_vllm.yaml --platform lepton'],
    load: async () => (await import('./commands/doctor.js')).doctor,
  },
  {
    name: 'config show',
    arguments: [config],
    summary: 'print the resolved config, secrets masked, with the source of each value',
    options: configOptions,
    examples: ['config show examples/lepton_vllm.yaml'],
    load: async () => (await import('./commands/config-show.js')).configShow,
  },
  ...configCommands,
  ...serviceCommands,
];

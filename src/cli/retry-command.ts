import type { Command } from './command';
import { json, strict } from './common-options';

export const retryCommand: Command = {
  name: 'retry',
  arguments: [['<id>', "the run's id or its first digits, or its name; with .N, its task N"]],
  summary: 'start a new run that takes over what succeeded in this one, and runs the rest',
  options: [
    { form: '-t, --task <name>', meaning: 'only this task of the run', repeated: true },
    {
      form: '-o, --override <key=value>',
      meaning: 'change how long and how often things are tried, e.g. execution.retries=2',
      repeated: true,
    },
    { form: '--env-file <file>', meaning: 'variables for secrets (default: .env here, if any)' },
    { form: '-n, --name <name>', meaning: 'name of the new run' },
    { form: '--tag <key=value>', meaning: "label of the new run, in addition to the old one's", repeated: true },
    { form: '--dry-run', meaning: 'print the endpoints and jobs that would be created; create nothing' },
    { form: '--detach', meaning: 'return once the run is started' },
    strict,
    json,
  ],
  examples: ['retry 3f2a', 'retry 3f2a -t gsm8k -o execution.evaluation_tasks.timeout=4h'],
  load: async () => (await import('./commands/retry.js')).retry,
};

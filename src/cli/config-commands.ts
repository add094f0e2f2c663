import type { Command } from './command';
import { json } from './common-options';

/** Commands that write configs. */
export const configCommands: readonly Command[] = [
  {
    name: 'migrate',
    arguments: [['[file]', 'config of NeMo Evaluator Launcher 0.1 or 0.2, for any executor']],
    summary:
      'rewrite a config of NeMo Evaluator Launcher into one that runs here; prints it, and what was changed and why',
    options: [
      { form: '-w, --write', meaning: 'write the file itself' },
      { form: '-o, --output <file>', meaning: 'write another file' },
      { form: '--force', meaning: 'replace the file of -o if there is one' },
      json,
    ],
    examples: ['migrate slurm.yaml', 'migrate slurm.yaml -w', 'migrate slurm.yaml -o lepton.yaml'],
    load: async () => (await import('./commands/migrate.js')).migrate,
  },
  {
    name: 'init',
    arguments: [['[file]', 'file to write (default: run.yaml)']],
    summary: 'write a config: asks for what it needs on a terminal, or takes it from options',
    options: [
      {
        form: '--model <model>',
        meaning: 'model to serve, `org/name` of the hub; with an existing URL, its name there',
      },
      {
        form: '--deployment <type>',
        meaning: 'what serves the model; none: an endpoint that exists',
        choices: ['vllm', 'sglang', 'nim', 'trtllm', 'generic', 'none'],
      },
      { form: '--url <url>', meaning: 'with none: URL of the endpoint' },
      { form: '--api-key-name <name>', meaning: 'with none: variable of this host that holds its key' },
      { form: '--image <image>', meaning: "container image of the server (nim, generic; else the type's own)" },
      { form: '--command <command>', meaning: 'with generic: command that starts the server' },
      { form: '--resource-shape <shape>', meaning: "shape of the endpoint's replica, for example gpu.1xh200" },
      { form: '-t, --task <name>', meaning: 'benchmark; several times for several', repeated: true },
      { form: '--limit-samples <count>', meaning: 'only the first samples of each benchmark' },
      { form: '--output-dir <folder>', meaning: 'where results go' },
      { form: '--force', meaning: 'replace the file if there is one' },
      json,
    ],
    examples: ['init', 'init run.yaml --model Qwen/Qwen3-0.6B --deployment vllm --resource-shape gpu.1xh200 -t ifeval'],
    load: async () => (await import('./commands/init.js')).init,
  },
];

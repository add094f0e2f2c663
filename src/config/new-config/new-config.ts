/** Writes a config from a few answers, with comments that say what can be changed. Pure. */
import { stringify } from 'yaml';
import { findTask } from '../catalogue/catalogue';
import type { CatalogueTask } from '../catalogue/catalogue';
import type { DeploymentType } from '../schema/deployment';

interface Common {
  /** `org/name` of the hub, a path in the container, or the name under which an endpoint serves the model. */
  readonly model: string;
  /** Names in the catalogue, with harness. */
  readonly tasks: readonly string[];
  readonly outputDir: string;
  /** Take only the first samples of each benchmark. */
  readonly limitSamples?: number;
}

/** What a config is made from. */
export type NewConfig = Common &
  (
    | { readonly deployment: 'none'; readonly url: string; readonly apiKeyName?: string }
    | {
        readonly deployment: Exclude<DeploymentType, 'none'>;
        readonly resourceShape: string;
        readonly image?: string;
        readonly command?: string;
      }
  );

/** How the config is used, for its comments. */
export interface NewConfigUse {
  /** The file's name as the user writes it. */
  readonly file: string;
  /** Variables that are set on this host. */
  readonly isSet: (variable: string) => boolean;
}

/** Returns the text of the file. */
export function renderNewConfig(config: NewConfig, use: NewConfigUse): string {
  const sections = [
    heading(config, use),
    ['defaults:', '  - execution: lepton', `  - deployment: ${config.deployment}`, '  - _self_'],
    executionSection(config),
    config.deployment === 'none' ? targetSection(config) : deploymentSection(config, use),
    evaluationSection(config, use),
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`.replace('\n\ndefaults:', '\ndefaults:');
}

function heading({ model, deployment, tasks }: NewConfig, { file }: NewConfigUse): string[] {
  const how = deployment === 'none' ? 'an endpoint that exists already' : `endpoints of its own (${deployment})`;
  const benchmarks = tasks.length === 1 ? 'a benchmark' : `${tasks.length} benchmarks`;
  return [
    `# Evaluates ${model} with ${benchmarks}, on ${how}.`,
    '#',
    `#   evalsaga doctor ${file}             checks everything that the run needs`,
    `#   evalsaga start ${file} --dry-run    shows what would be created`,
    `#   evalsaga start ${file}              runs it`,
    '#',
    '# `evalsaga config show` prints every key with its value; docs/configuration.md explains them.',
  ];
}

function executionSection({ outputDir, deployment }: NewConfig): string[] {
  return [
    'execution:',
    '  # Results arrive here, in a folder per run.',
    `  output_dir: ${scalar(outputDir)}`,
    '  evaluation_tasks:',
    '    # Limit for one evaluation, including its time in the queue. Full benchmarks can take hours.',
    '    timeout: 4h',
    ...(deployment === 'none'
      ? []
      : [
          '  lepton_platform:',
          '    deployment:',
          '      # How long an endpoint may take to get ready: large models download for a while.',
          '      endpoint_readiness_timeout: 30m',
        ]),
  ];
}

function targetSection({ url, model, apiKeyName }: Extract<NewConfig, { deployment: 'none' }>): string[] {
  return [
    '# The endpoint is only used: it is never created, scaled or deleted.',
    'target:',
    '  api_endpoint:',
    '    # Base URL (…/v1), to which each benchmark appends its path, or a whole request URL.',
    `    url: ${scalar(url)}`,
    '    # The name under which it serves the model: see GET <url>/models.',
    `    model_id: ${scalar(model)}`,
    ...(apiKeyName === undefined
      ? [
          '    # If it needs a key: the name of the variable of this host that holds it.',
          '    # api_key_name: MY_API_KEY',
        ]
      : ['    # The variable of this host that holds its key.', `    api_key_name: ${scalar(apiKeyName)}`]),
  ];
}

function deploymentSection(config: Exclude<NewConfig, { deployment: 'none' }>, use: NewConfigUse): string[] {
  const { deployment, model, image, command, resourceShape } = config;
  const isServedByName = deployment === 'nim' || deployment === 'generic';
  const weights = model.startsWith('/') ? 'checkpoint_path' : 'hf_model_handle';
  return [
    'deployment:',
    ...(isServedByName ? [] : [`  ${weights}: ${scalar(model)}`]),
    ...(isServedByName ? ['  # The name under which the image serves the model.'] : []),
    ...(isServedByName ? [`  served_model_name: ${scalar(model)}`] : []),
    ...(image === undefined ? [] : [`  image: ${scalar(image)}`]),
    ...(command === undefined ? [] : [`  command: ${scalar(command)}`]),
    ...argumentHints(deployment),
    ...serverVariables(deployment, use),
    '  lepton_config:',
    '    # Of each replica. The number in its name is the number of GPUs: gpu.8xh200 has eight, and the model is split over all.',
    `    resource_shape: ${scalar(resourceShape)}`,
    '    # max_replicas: 1',
    '# For several models in one run: docs/models.md',
    `# models: {base: {deployment: {hf_model_handle: org/base}}, tuned: {deployment: {hf_model_handle: org/tuned}}}`,
  ];
}

function argumentHints(deployment: DeploymentType): string[] {
  switch (deployment) {
    case 'vllm':
      return ['  # extra_args: --max-model-len 8192'];
    case 'sglang':
      return ['  # extra_args: --context-length 8192'];
    case 'trtllm':
      return ['  # extra_args: --max_seq_len 8192'];
    case 'nim':
    case 'generic':
    case 'none':
      return [];
  }
}

/** References to the keys with which servers fetch weights: in effect if they are set on this host. */
function serverVariables(deployment: DeploymentType, { isSet }: NewConfigUse): string[] {
  const name = deployment === 'nim' ? 'NGC_API_KEY' : 'HF_TOKEN';
  const purpose = deployment === 'nim' ? 'With this key a NIM fetches its model' : 'For gated models of the hub';
  const mark = isSet(name) ? '' : '# ';
  return [
    `  # ${purpose}; \`host:\` takes the value from a variable of this host when the endpoint is created.`,
    `  ${mark}env_vars:`,
    `  ${mark}  ${name}: host:${name}`,
  ];
}

function evaluationSection(config: NewConfig, use: NewConfigUse): string[] {
  const tasks = config.tasks.flatMap((name) => {
    const found = findTask(name);
    return found.kind === 'found' ? [found.task] : [];
  });
  const { limitSamples } = config;
  return [
    'evaluation:',
    '  # Settings of every benchmark; one of the same name below a task wins for it.',
    '  nemo_evaluator_config:',
    '    config:',
    '      params:',
    ...(limitSamples === undefined
      ? [
          '        # Only the first samples of each benchmark, to see that everything works:',
          '        # limit_samples: 10',
        ]
      : [
          '        # Only the first samples of each benchmark: enough to see that everything works, not a score to quote.',
          `        limit_samples: ${limitSamples}`,
        ]),
    '        # Concurrent requests.',
    '        parallelism: 8',
    ...tokenizer(config, tasks),
    ...jobVariables(tasks, use),
    '  # `evalsaga ls tasks` lists all there are; `evalsaga ls task NAME` shows the settings of one.',
    '  tasks:',
    ...config.tasks.map((name) => `    - name: ${scalar(name)}`),
  ];
}

/** Benchmarks that score texts by their tokens need the model's tokenizer, which is known where the model is deployed. */
function tokenizer(config: NewConfig, tasks: readonly CatalogueTask[]): string[] {
  const isNeeded = tasks.some(
    ({ harness, capabilities }) => harness === 'lm-evaluation-harness' && capabilities?.includes('logprobs') === true,
  );
  if (config.deployment !== 'none' || !isNeeded) return [];
  return [
    '        extra:',
    "          # Some of these benchmarks score texts by their tokens, for which they need the model's own tokenizer.",
    `          tokenizer: ${scalar(config.model)}`,
    '          tokenizer_backend: huggingface',
  ];
}

/** Variables that benchmarks read: keys of judges are needed always, the hub's token only where data is gated. */
function jobVariables(tasks: readonly CatalogueTask[], { isSet }: NewConfigUse): string[] {
  const names = [...new Set(tasks.flatMap(({ variables = [] }) => variables))].sort();
  if (names.length === 0) return [];
  const isInEffect = (name: string): boolean => name !== 'HF_TOKEN' || isSet(name);
  const mark = names.some(isInEffect) ? '' : '# ';
  return [
    '  # What these benchmarks read (data that is gated on the hub, keys of judges), from variables of this host.',
    `  ${mark}env_vars:`,
    ...names.map((name) => `  ${isInEffect(name) ? '' : '# '}  ${name}: host:${name}`),
  ];
}

/** Writes a text as a YAML value on one line. */
const scalar = (text: string): string => stringify(text, { lineWidth: 0, defaultStringType: 'PLAIN' }).trim();

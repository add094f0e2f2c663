/** `evaluation` and `target`: what is evaluated, and how the harness is run. Keys and meanings are those of nemo-evaluator 0.2.8's run config. */
import type { z } from 'zod';
import { accepting, documentationOf } from './accepts';
import type { Schema } from './accepts';
import { anything, choice, decimal, duration, flag, integer, listOf, mapping, orNull, section, text } from './fields';
import { Leaf } from './leaf';
import type { RawMap, RawValue } from './leaf';
import { envMap } from './variables';
import { taskDeployment } from './variants';

export const endpointTypes = ['chat', 'completions', 'embedding', 'vlm'] as const;
export type EndpointType = (typeof endpointTypes)[number];

/** The flat keys of older configs, grouped by type. */
const adapterFlags = {
  use_caching: 'Reuse cached responses instead of sending a request again.',
  save_requests: 'Save requests.',
  save_responses: 'Save responses.',
  use_system_prompt: 'Send `custom_system_prompt` as the system message.',
  use_omni_info: 'Use the interceptor `omni_info`, which only some images contain.',
  use_request_logging: 'Log requests.',
  use_response_logging: 'Log responses.',
  use_nvcf: 'Send requests with the interceptor `nvcf` (NVIDIA Cloud Functions), which only some images contain.',
  use_reasoning: 'Deprecated name of `process_reasoning_traces`.',
  process_reasoning_traces: 'Strip the reasoning from responses before they are scored.',
  use_progress_tracking: 'Report the number of processed samples.',
  use_raise_client_errors: 'Fail on a response 4xx, except 408 and 429, instead of continuing.',
  include_json: 'Write the report of `generate_html_report` as JSON too.',
  generate_html_report: 'Write an HTML report of requests and responses.',
  tracking_requests_stats: 'Collect statistics of the responses.',
} as const;

const adapterCounts = {
  max_logged_requests: 'Maximum number of requests to log.',
  max_logged_responses: 'Maximum number of responses to log.',
  max_saved_requests: 'Maximum number of requests to save.',
  max_saved_responses: 'Maximum number of responses to save.',
  html_report_size: 'Number of requests in the report.',
  progress_tracking_interval: 'Samples between two progress reports.',
  logging_aggregated_stats_interval: 'Responses between two log lines of aggregated statistics.',
} as const;

const adapterTexts = {
  caching_dir: 'Folder of the cache.',
  custom_system_prompt: 'The system message.',
  start_reasoning_token: 'Token that marks the start of the reasoning.',
  end_reasoning_token: 'Token that marks the end of the reasoning.',
  progress_tracking_url: 'URL to which progress is posted.',
  output_dir: "Folder of the proxy's own files.",
} as const;

/** Makes one field per key, described by its text. */
const fieldsOf = <T extends z.ZodType>(texts: Readonly<Record<string, string>>, field: () => T): Record<string, T> =>
  Object.fromEntries(Object.entries(texts).map(([key, meaning]) => [key, field().describe(meaning)]));

/** Settings of the proxy between harness and endpoint: the list of interceptors, or the flat legacy keys. */
const adapterConfig = section({
  mode: choice('server', 'client').optional().describe('Run the proxy beside the harness, or inside it.'),
  discovery: section({
    modules: listOf(text()).optional().describe('Python modules to import.'),
    dirs: listOf(text()).optional().describe('Folders to search.'),
  })
    .optional()
    .describe('Where to find your own interceptors.'),
  interceptors: listOf(anything())
    .optional()
    .describe(
      "The proxy's steps, in order: names, or `{name, enabled, config}`. Not together with the flat keys below.",
    ),
  post_eval_hooks: listOf(anything()).optional().describe('Hooks that run after the evaluation.'),
  endpoint_type: text().optional().describe('The kind of endpoint that the proxy calls.'),
  log_failed_requests: flag().optional().describe('Log requests that failed.'),
  ...fieldsOf(adapterFlags, () => flag().optional()),
  ...fieldsOf(adapterCounts, () => orNull(integer({ min: 0 })).optional()),
  ...fieldsOf(adapterTexts, () => orNull(text({ empty: true })).optional()),
  include_if_reasoning_not_finished: orNull(flag())
    .optional()
    .describe('Keep the reasoning of a response in which its end token is missing.'),
  track_reasoning: orNull(flag()).optional().describe('Collect statistics of the reasoning.'),
  params_to_add: orNull(mapping()).optional().describe('Parameters added to each request.'),
  params_to_remove: orNull(listOf(text())).optional().describe('Parameters removed from each request.'),
  params_to_rename: orNull(mapping()).optional().describe('Parameters renamed in each request: `old: new`.'),
  headers_to_add: orNull(mapping()).optional().describe('Headers added to each request.'),
  headers_to_remove: orNull(listOf(text())).optional().describe('Headers removed from each request, in any case.'),
  headers_to_rename: orNull(mapping()).optional().describe('Headers renamed in each request, in any case: `old: new`.'),
});

const params = section(
  {
    limit_samples: orNull(decimal({ min: 0, above: true }))
      .optional()
      .describe('Use only this many samples of each subset, or this fraction of them (below 1); null: all.'),
    max_new_tokens: orNull(integer({ min: 1 }))
      .optional()
      .describe('Maximum number of tokens to generate per request.'),
    max_retries: orNull(integer({ min: 0 }))
      .optional()
      .describe('How often a failed request is sent again.'),
    parallelism: orNull(integer({ min: 1 }))
      .optional()
      .describe('Number of concurrent requests.'),
    task: orNull(text()).optional().describe("The harness' own name for the task."),
    temperature: orNull(decimal({ min: 0 }))
      .optional()
      .describe('Sampling temperature.'),
    request_timeout: orNull(duration()).optional().describe('Timeout of a request.'),
    top_p: orNull(decimal({ min: 0, max: 1 }))
      .optional()
      .describe('Nucleus sampling: the cumulative probability of the tokens to sample from.'),
    extra: mapping().optional().describe('Parameters that only this harness knows.'),
  },
  {},
  "parameters that only this task's harness knows belong in `params.extra`",
);

const evaluatorShape = {
  config: section(
    {
      params: params.optional().describe('Parameters of the benchmark.'),
      type: orNull(text()).optional().describe("The evaluator's name for the task."),
      supported_endpoint_types: orNull(listOf(text())).optional().describe('Kinds of endpoint that the task can use.'),
      required_capabilities: orNull(listOf(text())).optional().describe('Capabilities that the endpoint must have.'),
    },
    {
      output_dir: "results go to the task's own folder in workspace storage, and from there to `execution.output_dir`",
    },
  )
    .optional()
    .describe('What the evaluator does.'),
  target: section({
    api_endpoint: section(
      {
        url: orNull(text()).optional().describe('Request URL; filled in by evalsaga.'),
        model_id: orNull(text()).optional().describe('Name under which the model is requested; filled in by evalsaga.'),
        type: orNull(choice('undefined', 'chat', 'completions', 'completions_logprob', 'embedding', 'vlm'))
          .optional()
          .describe('The kind of endpoint.'),
        api_key_name: orNull(text()).optional().describe("Variable of the job that holds the endpoint's key."),
        stream: orNull(flag()).optional().describe('Request streamed responses.'),
        adapter_config: orNull(adapterConfig)
          .optional()
          .describe('Settings of the proxy between harness and endpoint.'),
      },
      { api_key: 'name the variable that holds the key: `api_key_name`' },
    )
      .optional()
      .describe('The endpoint.'),
  })
    .optional()
    .describe('How the evaluator reaches the model.'),
};

/** The evaluator's run config. */
export const evaluatorConfig = section(evaluatorShape);

/** Checks like `evaluatorConfig`, and returns the value as it was written: the evaluator gets it, with its keys and nothing else. */
export const checkedEvaluatorConfig = accepting(
  { kind: 'section', shape: evaluatorShape },
  mapping().transform((raw, context): RawMap => {
    for (const issue of evaluatorConfig.safeParse(raw).error?.issues ?? [])
      context.issues.push({ ...issue, input: raw } as never);
    return typedValues(raw, evaluatorConfig) as RawMap;
  }),
);

/** Gives values from the environment, which are text, the type that the schema asks for: the evaluator gets numbers. */
function typedValues(raw: RawValue, schema: Schema): RawValue {
  const { accepts } = documentationOf(schema);
  if (accepts.kind === 'nullable') return typedValues(raw, accepts.inner);
  if (raw instanceof Leaf) {
    const isNumber = accepts.kind === 'integer' || accepts.kind === 'decimal';
    return isNumber || accepts.kind === 'flag' ? raw.typed() : raw;
  }
  if (accepts.kind !== 'section' || raw === null || Array.isArray(raw)) return raw;
  return Object.fromEntries(
    Object.entries(raw as RawMap).map(([key, value]) => {
      const inner = Object.hasOwn(accepts.shape, key) ? accepts.shape[key] : undefined;
      return [key, inner === undefined ? value : typedValues(value, inner)];
    }),
  );
}

const migrated = 'write it as `nemo_evaluator_config`';

const task = section(
  {
    name: text({ pattern: /^[^\s/\\]+$/, expected: 'the name of a task' }).describe(
      'The task: `harness.task`, or the task alone when only one harness has it.',
    ),
    container: orNull(text({ pattern: /^[A-Za-z0-9/][A-Za-z0-9._\-/:@]*$/, expected: 'a container image' })).describe(
      "Container image to run instead of the catalogue's.",
    ),
    endpoint_type: orNull(choice(...endpointTypes)).describe("The kind of endpoint, when it is not the catalogue's."),
    env_vars: envMap('refused').describe("Environment variables of this task's job. A text needs its prefix."),
    nemo_evaluator_config: checkedEvaluatorConfig.describe(
      "The evaluator's run config for this task, merged over `evaluation.nemo_evaluator_config`; lists are replaced. It is checked, and passed on as written.",
    ),
    dataset_dir: orNull(text({ pattern: /^\//, expected: 'an absolute path' })).describe(
      "Folder with the data set, in the tasks' volume.",
    ),
    dataset_mount_path: text({ pattern: /^\/./, expected: 'an absolute path' })
      .default('/datasets')
      .describe('Where it appears in the job.'),
    pre_cmd: orNull(text({ empty: true })).describe(
      'Shell lines run before the evaluation; needs `NEMO_EVALUATOR_TRUST_PRE_CMD=1`.',
    ),
    post_cmd: orNull(text({ empty: true })).describe(
      'Shell lines run after the evaluation; needs `NEMO_EVALUATOR_TRUST_PRE_CMD=1`.',
    ),
    deployment: taskDeployment.describe(
      "What differs in the deployment of this task's endpoint, merged over `deployment` (and over the model's, with `models`) key by key: image, arguments, shape, replicas, variables, …",
    ),
  },
  { overrides: migrated, config: migrated, deployment_overrides: 'write it as `deployment`' },
);

export const evaluation = section(
  {
    tasks: listOf(task).describe('The benchmarks to run, each in a job of its own.'),
    nemo_evaluator_config: checkedEvaluatorConfig.describe(
      "The evaluator's run config for every task. It is checked, and passed on as written.",
    ),
    env_vars: envMap('refused').describe('Environment variables of every job. A text needs its prefix.'),
    pre_cmd: orNull(text({ empty: true })).describe(
      'Shell lines run before each evaluation; needs `NEMO_EVALUATOR_TRUST_PRE_CMD=1`.',
    ),
    post_cmd: orNull(text({ empty: true })).describe(
      'Shell lines run after each evaluation; needs `NEMO_EVALUATOR_TRUST_PRE_CMD=1`.',
    ),
  },
  {
    overrides: migrated,
    config: migrated,
    task: 'the tasks are a list: `tasks:`',
  },
);

export const target = section({
  api_endpoint: section(
    {
      url: orNull(text()).describe('Base or request URL of the existing endpoint (`deployment: none` only).'),
      model_id: orNull(text()).describe('Name under which the model is served.'),
      api_key_name: orNull(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'the name of a variable' })).describe(
        "Name of the variable of the job that holds the endpoint's key. If the run deploys its endpoints, they ask for what this variable holds; if nothing sets it, it holds the token made for them.",
      ),
    },
    {
      api_key: 'name the variable that holds the key, `api_key_name: NAME`, and set NAME on this host',
      adapter_config:
        'adapter settings belong in `evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config`',
    },
  ).describe('The endpoint.'),
});

export type TaskConfig = z.output<typeof task>;

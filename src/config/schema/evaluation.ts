/** `evaluation` and `target`: what is evaluated, and how the harness is run (nemo-evaluator 0.2.8's run config). */
import type { z } from 'zod';
import { anything, choice, decimal, flag, integer, listOf, mapping, orNull, section, text } from './fields';
import type { RawMap } from './fields';
import { envMap } from './secrets';

export const endpointTypes = ['chat', 'completions', 'embedding', 'vlm'] as const;
export type EndpointType = (typeof endpointTypes)[number];

/** Settings of the proxy between harness and endpoint: the modern list, or the flat legacy keys. */
const adapterConfig = section({
  mode: choice('server', 'client').optional(),
  discovery: section({ modules: listOf(text()).optional(), dirs: listOf(text()).optional() }).optional(),
  interceptors: listOf(anything()).optional(),
  post_eval_hooks: listOf(anything()).optional(),
  endpoint_type: text().optional(),
  log_failed_requests: flag().optional(),
  ...Object.fromEntries(
    [
      'use_caching',
      'save_requests',
      'save_responses',
      'use_system_prompt',
      'use_omni_info',
      'use_request_logging',
      'use_response_logging',
      'use_nvcf',
      'use_reasoning',
      'process_reasoning_traces',
      'use_progress_tracking',
      'use_raise_client_errors',
      'include_json',
      'generate_html_report',
      'tracking_requests_stats',
    ].map((key) => [key, flag().optional()]),
  ),
  ...Object.fromEntries(
    [
      'max_logged_requests',
      'max_logged_responses',
      'max_saved_requests',
      'max_saved_responses',
      'html_report_size',
      'progress_tracking_interval',
      'logging_aggregated_stats_interval',
    ].map((key) => [key, orNull(integer({ min: 0 })).optional()]),
  ),
  ...Object.fromEntries(
    [
      'caching_dir',
      'custom_system_prompt',
      'start_reasoning_token',
      'end_reasoning_token',
      'progress_tracking_url',
      'output_dir',
    ].map((key) => [key, orNull(text({ empty: true })).optional()]),
  ),
  include_if_reasoning_not_finished: orNull(flag()).optional(),
  track_reasoning: orNull(flag()).optional(),
  params_to_add: orNull(mapping()).optional(),
  params_to_remove: orNull(listOf(text())).optional(),
  params_to_rename: orNull(mapping()).optional(),
  headers_to_add: orNull(mapping()).optional(),
  headers_to_remove: orNull(listOf(text())).optional(),
  headers_to_rename: orNull(mapping()).optional(),
});

const params = section(
  {
    /** First so many samples of each subset, or a share below 1. */
    limit_samples: orNull(decimal({ min: 0, above: true })).optional(),
    max_new_tokens: orNull(integer({ min: 1 })).optional(),
    max_retries: orNull(integer({ min: 0 })).optional(),
    /** Requests at once. */
    parallelism: orNull(integer({ min: 1 })).optional(),
    /** The harness' own name for the task. */
    task: orNull(text()).optional(),
    temperature: orNull(decimal({ min: 0 })).optional(),
    /** Seconds per request. */
    request_timeout: orNull(integer({ min: 1, unit: 'seconds' })).optional(),
    top_p: orNull(decimal({ min: 0, max: 1 })).optional(),
    /** What only this harness knows. */
    extra: mapping().optional(),
  },
  {},
  "what only this task's harness knows goes to `params.extra`",
);

/** The evaluator's run config, checked; it is passed on as it was written. */
export const evaluatorConfig = section({
  config: section(
    {
      params: params.optional(),
      type: orNull(text()).optional(),
      supported_endpoint_types: orNull(listOf(text())).optional(),
      required_capabilities: orNull(listOf(text())).optional(),
    },
    {
      output_dir: "results go to the task's own folder in workspace storage, and from there to `execution.output_dir`",
    },
  ).optional(),
  target: section({
    api_endpoint: section(
      {
        url: orNull(text()).optional(),
        model_id: orNull(text()).optional(),
        type: orNull(choice('undefined', 'chat', 'completions', 'completions_logprob', 'embedding', 'vlm')).optional(),
        api_key_name: orNull(text()).optional(),
        stream: orNull(flag()).optional(),
        adapter_config: orNull(adapterConfig).optional(),
      },
      { api_key: 'a key goes by the name of a variable: `api_key_name`' },
    ).optional(),
  }).optional(),
});

/** Checked like `evaluatorConfig`, kept as it was written: that is what the evaluator gets. */
const checkedEvaluatorConfig = mapping().transform((raw, context): RawMap => {
  for (const issue of evaluatorConfig.safeParse(raw).error?.issues ?? [])
    context.issues.push({ ...issue, input: raw } as never);
  return raw;
});

const migrated = 'write it as `nemo_evaluator_config`';

const task = section(
  {
    /** `harness.task`, or the task alone when one harness has it. */
    name: text({ pattern: /^[^\s/\\]+$/, expected: 'the name of a task' }),
    /** Image instead of the catalogue's. */
    container: orNull(text({ pattern: /^[A-Za-z0-9/][A-Za-z0-9._\-/:@]*$/, expected: 'a container image' })),
    endpoint_type: orNull(choice(...endpointTypes)),
    env_vars: envMap('refused'),
    nemo_evaluator_config: checkedEvaluatorConfig,
    /** Folder in the tasks' volume with the data set. */
    dataset_dir: orNull(text({ pattern: /^\//, expected: 'an absolute path' })),
    dataset_mount_path: text({ pattern: /^\/./, expected: 'an absolute path' }).default('/datasets'),
    /** Shell lines before and after the evaluation; need NEMO_EVALUATOR_TRUST_PRE_CMD=1. */
    pre_cmd: orNull(text({ empty: true })),
    post_cmd: orNull(text({ empty: true })),
  },
  { overrides: migrated, config: migrated, params: 'parameters go to `nemo_evaluator_config.config.params`' },
);

export const evaluation = section(
  {
    tasks: listOf(task),
    nemo_evaluator_config: checkedEvaluatorConfig,
    env_vars: envMap('refused'),
    pre_cmd: orNull(text({ empty: true })),
    post_cmd: orNull(text({ empty: true })),
  },
  {
    overrides: migrated,
    config: migrated,
    task: 'the tasks are a list: `tasks:`',
    params: 'parameters go to `nemo_evaluator_config.config.params`',
  },
);

export const target = section({
  api_endpoint: section(
    {
      /** Request URL of an endpoint that is there already (with `deployment: none`). */
      url: orNull(text()),
      /** Name the model is served under. */
      model_id: orNull(text()),
      /** Variable of the job that holds the endpoint's key. */
      api_key_name: orNull(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'the name of a variable' })),
    },
    {
      api_key: 'a key goes by the name of a variable: `api_key_name: NAME`, with NAME set on this host',
      type: "the kind of endpoint is the task's: `evaluation.tasks.N.endpoint_type`",
      adapter_config: 'adapter settings go to `evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config`',
    },
  ),
});

export type TaskConfig = z.output<typeof task>;

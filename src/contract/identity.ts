/** Ids, marks and variable names that are the same everywhere. Pure. */
import { answeredVariable } from './last-request';

/** Variable in the spec of every endpoint and job that marks it as ours: the invocation id. */
export const invocationVariable = 'EVALSAGA_INVOCATION';

/** Variable in the spec of every endpoint and job: the task's index, or `e<n>` for the run's shared endpoint n. */
export const taskVariable = 'EVALSAGA_TASK';

/** Variable in the spec of every endpoint and job: the Temporal installation that owns the run. */
export const originVariable = 'EVALSAGA_ORIGIN';

/** Variable of a job: the full request URL of its endpoint, set when the job is submitted. */
export const modelUrlVariable = 'EVALSAGA_MODEL_URL';

/** Variable of a job: the task's own folder on the mount, as the container sees it. */
export const outputDirVariable = 'EVALSAGA_OUTPUT_DIR';

/** Variable in the spec of an endpoint with a made token: the beginning of the token's SHA-256, which tells who knows the token. */
export const tokenDigestVariable = 'EVALSAGA_TOKEN_DIGEST';

const ownVariables = new Set([
  invocationVariable,
  taskVariable,
  originVariable,
  tokenDigestVariable,
  modelUrlVariable,
  outputDirVariable,
  answeredVariable,
]);

/** Whether evalsaga itself sets this variable in endpoints and jobs, so that a user's value would be lost or misleading. */
export const isOwnVariable = (name: string): boolean =>
  ownVariables.has(name) || /^EVALSAGA_URL_SECRET_\d+(?:_|$)/.test(name);

const platformVariables = new Set([
  'LEPTON_WORKSPACE_ID',
  'LEPTON_DEPLOYMENT_NAME',
  'LEPTON_JOB_NAME',
  'LEPTON_RESOURCE_ACCELERATOR_TYPE',
  'LEPTON_WORKSPACE_ORIGIN_URL',
]);

/** Whether the platform sets this container variable itself, and refuses a spec that contains it. */
export const isPlatformVariable = (name: string): boolean => platformVariables.has(name);

export const defaultTaskQueue = 'evalsaga';

export const runWorkflowType = 'evaluationRun';
export const taskWorkflowType = 'evaluationTask';
export const endpointWorkflowType = 'evaluationEndpoint';
export const batchWorkflowType = 'evaluationBatch';

export const runWorkflowId = (invocation: string): string => `eval-${invocation}`;

/**
 * Shared endpoints of a run are addressed as its tasks are, by indices below 0: the first is -1. Their workflows and marks have `e0`
 * in the place of a task's index.
 */
export const sharedIndex = (position: number): number => -1 - position;

/** Returns the position among the run's shared endpoints; `undefined`: it is a task's index. */
export const sharedPosition = (index: number): number | undefined => (index < 0 ? -1 - index : undefined);

/** Returns how a task or shared endpoint is written in marks and workflow ids: `3`, or `e0`. */
export const indexText = (index: number): string => (index < 0 ? `e${-1 - index}` : String(index));

/** Reads what `indexText` writes; `NaN` for anything else. */
export const indexIn = (text: string): number => {
  const [, shared, digits] = /^(e?)(\d+)$/.exec(text) ?? [];
  return shared === 'e' ? sharedIndex(Number(digits)) : Number(digits ?? Number.NaN);
};

/** Returns ` of task 3`, for messages; nothing for a shared endpoint, which belongs to no task. */
export const ofTask = (index: number): string => (index < 0 ? '' : ` of task ${index}`);

/** Also of a shared endpoint, by its index. */
export const taskWorkflowId = (invocation: string, index: number): string => `eval-${invocation}.${indexText(index)}`;

/** Tasks of one batch. Never changes: the batch of a task follows from its index. */
export const tasksPerBatch = 100;

/** A run of more tasks has batch workflows between itself and its tasks. */
export const mostTasksWithoutBatches = 50;

export const batchOf = (index: number): number => Math.floor(index / tasksPerBatch);

export const batchWorkflowId = (invocation: string, batch: number): string => `eval-${invocation}-b${batch}`;

/** Returns the workflow ids of the batches that these tasks belong to if their run has any. */
export const batchIdsOf = (invocation: string, indices: readonly number[]): string[] =>
  [...new Set(indices.filter((index) => index >= 0).map(batchOf))].map((batch) => batchWorkflowId(invocation, batch));

/** Returns the invocation in the workflow id of a run, batch, task or shared endpoint; `undefined` for other ids. */
export const invocationOf = (workflowId: string): string | undefined =>
  /^eval-([0-9a-f]{16})(?:\.e?\d+|-b\d+)?$/.exec(workflowId)?.[1];

/** Search attributes of runs that have a name or tags. Clusters of earlier builds lack them until somebody creates them. */
export const labelAttributes = { EvalName: 'Keyword', EvalTags: 'KeywordList' } as const;

/** Returns the index of the task whose workflow this is; `undefined` for any other workflow. */
export const taskIndexOf = (workflowId: string): number | undefined => {
  const index = /^eval-[0-9a-f]{16}\.(\d+)$/.exec(workflowId)?.[1];
  return index === undefined ? undefined : Number(index);
};

/** Search attributes (all Keyword) of runs. */
export const searchAttributeNames = ['EvalModel', 'EvalPhase', 'EvalOutcome', 'EvalOwner'] as const;

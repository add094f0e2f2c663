/** Ids and marks that must be the same everywhere. Pure. */

/** Variable in every endpoint's and job's spec that marks it as ours: the value is the invocation id. */
export const invocationVariable = 'EVALSAGA_INVOCATION';

/** Variable in every endpoint's and job's spec: the task's index. */
export const taskVariable = 'EVALSAGA_TASK';

/** Variable in every endpoint's and job's spec: which Temporal installation owns the run. */
export const originVariable = 'EVALSAGA_ORIGIN';

/** Variable of a job: the full request URL of its endpoint, filled in when the job is submitted. */
export const modelUrlVariable = 'EVALSAGA_MODEL_URL';

/** Variable of a job: the task's own folder on the mount, as the container sees it. */
export const outputDirVariable = 'EVALSAGA_OUTPUT_DIR';

const ownVariables = new Set([invocationVariable, taskVariable, originVariable, modelUrlVariable, outputDirVariable]);

/** Whether evalsaga sets this variable of endpoints and jobs itself: a user's own value would be lost, or mislead. */
export const isOwnVariable = (name: string): boolean =>
  ownVariables.has(name) || /^EVALSAGA_URL_SECRET_\d+(?:_|$)/.test(name);

const platformVariables = new Set([
  'LEPTON_WORKSPACE_ID',
  'LEPTON_DEPLOYMENT_NAME',
  'LEPTON_JOB_NAME',
  'LEPTON_RESOURCE_ACCELERATOR_TYPE',
  'LEPTON_WORKSPACE_ORIGIN_URL',
]);

/** Whether the platform sets this variable of a container itself, and refuses a spec that does. */
export const isPlatformVariable = (name: string): boolean => platformVariables.has(name);

export const defaultTaskQueue = 'evalsaga';

export const runWorkflowType = 'evaluationRun';
export const taskWorkflowType = 'evaluationTask';

export const runWorkflowId = (invocation: string): string => `eval-${invocation}`;

export const taskWorkflowId = (invocation: string, index: number): string => `eval-${invocation}.${index}`;

/** The invocation of a run's or task's workflow id, or `undefined` when it is neither. */
export const invocationOf = (workflowId: string): string | undefined =>
  /^eval-([0-9a-f]{16})(?:\.\d+)?$/.exec(workflowId)?.[1];

/** Search attributes (all Keyword) of runs. */
export const searchAttributeNames = ['EvalModel', 'EvalPhase', 'EvalOutcome', 'EvalOwner'] as const;

/** The workflows that the worker registers. */
export { endpointQuota } from './endpoint-quota';
export { evaluationBatch } from './evaluation-batch';
export { evaluationRun } from './evaluation-run';
export { evaluationTask } from './evaluation-task';
export { sweepPlatform } from './sweep';
export { evaluationEndpoint } from './evaluation-endpoint';

/** Settings of the endpoint in the evaluator's own config. Pure. */
import type { ResolvedConfig } from '../schema/config';
import type { ResolvedTask } from './resolve-task';
import { userText } from './run-config';

/** Where they are, below `evaluation` and below a task. */
export const ownPath = ['nemo_evaluator_config', 'target', 'api_endpoint'] as const;

/** Returns one of them: the task's, else that of all tasks. */
export const ownSetting = (
  { evaluation }: ResolvedConfig,
  { config }: Pick<ResolvedTask, 'config'>,
  key: string,
): string | undefined =>
  userText(evaluation.nemo_evaluator_config, config.nemo_evaluator_config, ['target', 'api_endpoint', key]);

import { loadConfig, renderProblem, showConfig } from '../../config';
import type { CommandBody } from '../command';
import { configRequest } from '../config-input';
import { done } from '../exit-code';

/** `config show CONFIG`: the resolved config and where each value came from. */
export const configShow: CommandBody = async (input, context) => {
  const loaded = await loadConfig(configRequest(input, context));
  for (const warning of loaded.warnings) context.output.warn(renderProblem(warning));
  context.output.answer(showConfig(loaded).trimEnd());
  return done;
};

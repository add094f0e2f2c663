import { loadConfig, renderProblem, showConfig } from '../../config';
import type { CommandBody } from '../command';
import { configRequest } from '../config-input';
import { done } from '../exit-code';

/** `config show CONFIG`: the resolved config and where each value came from. */
export const configShow: CommandBody = async (input, context) => {
  const loaded = await loadConfig(configRequest(input, context));
  for (const doubt of loaded.doubts) context.output.warn(renderProblem(doubt));
  context.output.answer(showConfig(loaded).trimEnd());
  return done;
};

import { loadConfig, showConfig } from '../../config';
import type { CommandBody } from '../command';
import { configRequest } from '../config-input';
import { done } from '../exit-code';

/** `config show CONFIG`: the resolved config and where each value came from. */
export const configShow: CommandBody = async (input, context) => {
  context.output.answer(showConfig(await loadConfig(configRequest(input, context))).trimEnd());
  return done;
};

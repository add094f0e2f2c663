import type { CommandOption } from './command';

/** Options that several commands have. */

export const json: CommandOption = { form: '--json', meaning: 'print one JSON document on stdout' };
export const platform: CommandOption = {
  form: '--platform <platform>',
  meaning: 'where endpoints and jobs run; auto: Lepton when credentials are found, else this machine',
  choices: ['auto', 'lepton', 'local'],
  default: 'auto',
};
export const strict: CommandOption = {
  form: '--strict',
  meaning: 'exit 1 if anything was found that may have spoiled the scores',
};

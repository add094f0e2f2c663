/** Names of all commands, in the order in which the help lists them; a nested one has two words. */
export const commandNames = [
  'start',
  'status',
  'logs',
  'cancel',
  'retry',
  'ls',
  'results',
  'compare',
  'gate',
  'export',
  'fetch',
  'cleanup',
  'sweep',
  'doctor',
  'config show',
  'migrate',
  'init',
  'up',
  'down',
  'platform',
  'key',
  'codec-server',
  'worker',
] as const;

export type CommandName = (typeof commandNames)[number];

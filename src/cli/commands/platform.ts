import path from 'node:path';
import { startPlatform } from '../../local-platform';
import type { Runtime } from '../../local-platform/runtime';
import { noStorageApiVariable } from '../../stack/services';
import { flag, textOption, type CommandBody } from '../command';
import { done } from '../exit-code';
import { untilSignalled } from '../attach/interrupts';
import { portOf } from '../port-option';

/** The argument parser has already refused other values. */
function runtimeOf(text: string | undefined): Runtime['kind'] {
  return text === 'simulated' || text === 'docker' ? text : 'process';
}

/** `platform`: serves until SIGINT or SIGTERM. Its deployments and jobs keep running, and the next start takes them over. */
export const platform: CommandBody = async (input, { home, env, cwd, output }) => {
  const inCwd = (name: string): string | undefined => {
    const value = textOption(input, name);
    return value === undefined ? undefined : path.resolve(cwd, value);
  };
  const running = await startPlatform({
    runtime: runtimeOf(textOption(input, 'runtime')),
    plan: inCwd('plan'),
    port: portOf(textOption(input, 'port') ?? '0'),
    home,
    stateFolder: inCwd('state'),
    workspace: textOption(input, 'workspace'),
    token: env['EVALSAGA_PLATFORM_TOKEN'] || undefined,
    dialect: textOption(input, 'dialect') === 'new' ? 'new' : 'classic',
    storageApi: input.options['storageApi'] !== false && !env[noStorageApiVariable],
    secureEndpoints: flag(input, 'secureEndpoints'),
    log: (message, fields) => output.note(JSON.stringify({ at: new Date().toISOString(), message, ...fields })),
  });
  // Before the address is said, on which a caller may end it.
  const signalled = untilSignalled();
  const { url, workspace, token } = running;
  output.answer(JSON.stringify({ url, workspace, token }));
  await signalled;
  await running.close();
  return done;
};

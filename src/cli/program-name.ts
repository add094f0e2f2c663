import { homePaths } from '../home/paths';
import type { Env } from '../temporal/target';
import { shellQuote } from '../support/shell';
import { commandNames } from './command-names';

/** Returns how the user calls this program, for commands in messages. */
export function programName(env: Env): string {
  return viaNpmScript(env) ? 'npm run evalsaga --' : 'evalsaga';
}

/** Whether this process was started by one of this package's npm scripts. */
export function viaNpmScript(env: Env): boolean {
  return env['npm_package_name'] === 'evalsaga' && (env['npm_lifecycle_script'] ?? '').includes('cli/main.js');
}

const named = new RegExp(`(?<![\\w./-])(?:npm run evalsaga -- |evalsaga )(${commandNames.join('|')})(?![\\w-])`, 'g');

/**
 * Rewrites commands in a text (`evalsaga cleanup ID`) so that they can be pasted: workflows don't know how the program was
 * called. `cleanup` may be pasted much later, in another shell, so it includes `EVALSAGA_HOME`. Pure.
 */
export function asCalled(text: string, env: Env): string {
  const program = programName(env);
  return text.replace(named, (_, name: string) => `${name === 'cleanup' ? homePrefix(env) : ''}${program} ${name}`);
}

const homePrefix = (env: Env): string =>
  env['EVALSAGA_HOME'] ? `EVALSAGA_HOME=${shellQuote(homePaths(env).root)} ` : '';

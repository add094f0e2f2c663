import { homePaths } from '../home/paths';
import type { Env } from '../temporal/target';
import { shellQuote } from '../support/shell';
import { commandNames } from './command-names';

/** How the user can call us again: commands that are printed are meant to be copied. */
export function programName(env: Env): string {
  return viaNpmScript(env) ? 'npm run evalsaga --' : 'evalsaga';
}

/** Started by one of our own package's scripts. */
export function viaNpmScript(env: Env): boolean {
  return env['npm_package_name'] === 'evalsaga' && (env['npm_lifecycle_script'] ?? '').includes('cli/main.js');
}

const named = new RegExp(`(?<![\\w./-])(?:npm run evalsaga -- |evalsaga )(${commandNames.join('|')})(?![\\w-])`, 'g');

/**
 * Commands that a text names (`evalsaga cleanup ID`; workflows and the platform's client do not know how they were called) as
 * they can be pasted here. The one that finishes a teardown may be pasted much later, in another shell: it carries its home. Pure.
 */
export function asCalled(text: string, env: Env): string {
  const program = programName(env);
  return text.replace(named, (_, name: string) => `${name === 'cleanup' ? homePrefix(env) : ''}${program} ${name}`);
}

const homePrefix = (env: Env): string =>
  env['EVALSAGA_HOME'] ? `EVALSAGA_HOME=${shellQuote(homePaths(env).root)} ` : '';

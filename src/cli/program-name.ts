import type { Env } from '../temporal/target';

/** How the user can call us again: commands that are printed are meant to be copied. */
export function programName(env: Env): string {
  return viaNpmScript(env) ? 'npm run evalsaga --' : 'evalsaga';
}

/** Started by one of our own package's scripts. */
export function viaNpmScript(env: Env): boolean {
  return env['npm_package_name'] === 'evalsaga' && (env['npm_lifecycle_script'] ?? '').includes('cli/main.js');
}

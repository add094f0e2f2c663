import path from 'node:path';
import { executablesOnPath, isExecutable } from '../../../support/executable';
import { isShell } from './shell-wrapped';

const PYTHONS = /^python(3(\.\d+)?)?$/;

/**
 * Returns whether this machine can run the deployment's own server: its program is on PATH and, for `python -m MODULE`,
 * the module can be imported. `words` is the server's command without a shell around it. Scripts in the image can't run.
 */
export async function canRunOwnServer(words: readonly string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  const [program] = words;
  if (!program || isShell(program) || isRelativePath(program) || !(await isOnPath(program, env))) return false;
  if (!PYTHONS.test(path.basename(program))) return true;
  const at = words.indexOf('-m');
  const module = at < 0 ? undefined : words[at + 1];
  if (module === undefined) return true;
  const probe = `import importlib.util as u, sys; sys.exit(0 if u.find_spec(${JSON.stringify(module.split('.')[0])}) else 1)`;
  const { execa } = await import('execa');
  const found = await execa(program, ['-c', probe], {
    env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: 20_000,
  });
  return !found.failed;
}

/** A relative path refers to the container's file system. */
const isRelativePath = (program: string): boolean => program.includes('/') && !path.isAbsolute(program);

async function isOnPath(program: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (program.includes('/')) return isExecutable(program);
  const { done } = await executablesOnPath(program, env['PATH']).next();
  return done !== true;
}

import type { HomePaths } from '../home/paths';
import { findPython, MissingProgram } from '../provision/python';
import { describeUv } from '../provision/uv';
import type { Env } from '../temporal/target';
import { fail, ok, warn, type Finding } from './finding';

/** Checks the programs that install local software. `isNeeded`: some of it is not installed yet. */
export async function checkPython({
  home,
  env,
  isNeeded,
}: {
  readonly home: Pick<HomePaths, 'runtimes'>;
  readonly env: Env;
  readonly isNeeded: boolean;
}): Promise<Finding[]> {
  const lacking = (about: string, { seen, advice }: MissingProgram): Finding =>
    isNeeded ? fail(about, seen, advice) : warn(about, seen, 'the software that is already installed works without it');
  const python = await orMissing(findPython(env));
  // Without Python, uv can't be used either: one cause, one line.
  if (python instanceof MissingProgram) return [lacking('python', python)];
  const uv = await orMissing(describeUv({ home, python, env }));
  return [ok('python', python), uv instanceof MissingProgram ? lacking('uv', uv) : ok('uv', uv)];
}

async function orMissing(search: Promise<string>): Promise<string | MissingProgram> {
  try {
    return await search;
  } catch (error) {
    if (error instanceof MissingProgram) return error;
    throw error;
  }
}

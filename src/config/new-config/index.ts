/** Making a config from answers: what the command line uses of this folder. */
import type { PlatformRef } from '../../contract/plan';
import type { Environment } from '../environment';
import { loadEnvironment } from '../environment';
import { verify } from '../migrate/verify';
import { ConfigError } from '../yaml/problems';
import { renderNewConfig } from './new-config';
import type { NewConfig } from './new-config';

export type { NewConfig } from './new-config';

/** Writes the text of a config and checks it as a run would be. Throws `ConfigError` if a run of it would be refused. */
export async function makeNewConfig(
  config: NewConfig,
  request: {
    /** Absolute path that the file will have. */
    readonly file: string;
    /** The same as the user writes it. */
    readonly shownFile: string;
    readonly env: Environment;
    readonly cwd: string;
    readonly platform: PlatformRef;
  },
): Promise<{ readonly text: string; readonly notes: readonly string[] }> {
  const { file, shownFile, env, cwd, platform } = request;
  const known = loadEnvironment({ env, cwd });
  const text = renderNewConfig(config, { file: shownFile, isSet: (name) => Boolean(known[name]) });
  const { problems, notes } = await verify({ text, file, env, cwd, platform });
  if (problems.length > 0) throw new ConfigError(problems);
  return { text, notes };
}

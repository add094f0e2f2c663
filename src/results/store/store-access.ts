import path from 'node:path';
import { z } from 'zod';
import type { HomePaths } from '../../home/paths';
import { readJsonFile, writePrivateJson } from '../../support/atomic-file';
import type { StoreEnv } from './store';

/**
 * Passes the credentials of a bucket from the launcher, which has the user's environment, to this home's background worker and to
 * later commands, which may not have it: in a private file.
 */

/** Variables that give an AWS client credentials, or say where they come from. */
const credentials = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_ROLE_ARN',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
] as const;
const others = [
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_CA_BUNDLE',
  'EVALSAGA_S3_PATH_STYLE',
] as const;

const fileIn = ({ credentials: folder }: Pick<HomePaths, 'credentials'>): string =>
  path.join(folder, 'results-store.json');

/** A background worker may have inherited the id of a key, but not the key. */
const hasCredentials = (env: StoreEnv): boolean =>
  env['AWS_ACCESS_KEY_ID'] ? Boolean(env['AWS_SECRET_ACCESS_KEY']) : credentials.some((name) => env[name]);

/** Stores what this environment says about the bucket, if it says anything; mode 0600. */
export async function saveStoreAccess(home: Pick<HomePaths, 'credentials'>, env: StoreEnv): Promise<void> {
  const given = [...credentials, ...others].flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  if (given.length > 0) await writePrivateJson(fileIn(home), Object.fromEntries(given));
}

/** Returns the environment for a store: this process's own if it has credentials for one, else with what was stored. */
export async function storeEnv(home: Pick<HomePaths, 'credentials'>, env: StoreEnv): Promise<StoreEnv> {
  if (hasCredentials(env)) return env;
  const stored = z.record(z.string(), z.string()).safeParse(await readJsonFile(fileIn(home)).catch(() => undefined));
  return { ...env, ...stored.data };
}

/** Returns the secrets in what was stored, for masking. */
export async function storeSecrets(home: Pick<HomePaths, 'credentials'>, env: StoreEnv): Promise<readonly string[]> {
  const { AWS_SECRET_ACCESS_KEY: key, AWS_SESSION_TOKEN: token } = await storeEnv(home, env);
  return [key, token].filter((value): value is string => value !== undefined && value !== '');
}

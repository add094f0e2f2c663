/** Gives a worker, which may have none of the launching user's environment, access to a workspace. */
import type { PlatformRef } from '../contract/plan';
import { credentialsFile, loadPlatformAccess, storeCredentials } from './stored-credentials';
import type { HomePaths } from '../home/paths';
import { findCredentials, findLogin } from './credentials';
import { CredentialsError } from './lepton-error';
import type { PlatformAccess } from './types';

type Env = Readonly<Record<string, string | undefined>>;

/** Where to look besides `home`; the default is this process's environment and user. */
export interface AccessSources {
  readonly env?: Env;
  readonly homeFolder?: string;
}

/** Stores the access for the workers of this home, in a private file (0600) per workspace and address. */
export async function saveAccess(home: HomePaths, access: PlatformAccess): Promise<void> {
  await storeCredentials(home, { ...access, url: withoutSlash(access.url) });
}

/**
 * Returns access to the platform that a plan names. It is to be read again and again, since the local platform may have moved to another
 * port and a token may have been renewed. For the local platform, it is what that wrote when it started. For Lepton, it is the
 * environment if that means the same workspace and address, else what `saveAccess` stored, else the `lep login` record.
 * Rejects with `CredentialsError` if there is none.
 */
export async function loadAccess(
  home: HomePaths,
  ref: PlatformRef,
  surroundings: AccessSources = {},
): Promise<PlatformAccess> {
  switch (ref.kind) {
    case 'local':
      return loadLocal(home, ref);
    case 'lepton':
      return loadLepton(home, { ...ref, url: withoutSlash(ref.url) }, surroundings);
  }
}

async function loadLocal(home: HomePaths, ref: PlatformRef): Promise<PlatformAccess> {
  const access = await loadPlatformAccess(home, ref);
  if (!access) {
    throw new CredentialsError(
      `there is no address in ${home.platformAccess}: start the local platform with evalsaga up.`,
    );
  }
  if (access.workspace !== ref.workspace) {
    throw new CredentialsError(
      `the local platform of ${home.root} is workspace ${access.workspace}, but the run was started on ${ref.workspace}: use the EVALSAGA_HOME with which it was started.`,
    );
  }
  return { ...access, source: home.platformAccess };
}

async function loadLepton(
  home: HomePaths,
  ref: Extract<PlatformRef, { kind: 'lepton' }>,
  { env = process.env, homeFolder }: AccessSources,
): Promise<PlatformAccess> {
  const at = { env, ...(homeFolder === undefined ? {} : { homeFolder }) };
  const isMeant = (access: PlatformAccess | undefined): access is PlatformAccess =>
    access?.workspace === ref.workspace && withoutSlash(access.url) === ref.url;

  const fromEnv = env['LEPTON_WORKSPACE_ID'] ? undefinedIfUnusable(() => findCredentials(at))?.access : undefined;
  if (isMeant(fromEnv)) return fromEnv;
  const stored = await loadPlatformAccess(home, ref);
  if (isMeant(stored)) return { ...stored, source: stored.source ?? credentialsFile(home, ref) };
  const login = undefinedIfUnusable(() => findLogin({ ...at, workspace: ref.workspace }))?.access;
  if (isMeant(login)) return login;
  throw new CredentialsError(
    `no credentials for workspace ${ref.workspace} at ${ref.url} on this machine: set LEPTON_WORKSPACE_ID, LEPTON_WORKSPACE_TOKEN and LEPTON_WORKSPACE_URL for the worker, or run lep login as its user.`,
  );
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, '');

/** Treats an incomplete set of variables, or a broken file, as if there were none. */
function undefinedIfUnusable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof CredentialsError) return undefined;
    throw error;
  }
}

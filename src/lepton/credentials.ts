/** Finds the workspace and its token where the service's own tools keep them. */
import { CredentialsError } from './lepton-error';
import { readLoginFile, type LoginFile, type LoginRecord } from './lep-login';
import type { PlatformAccess } from './types';

type Env = Readonly<Record<string, string | undefined>>;

export interface FoundCredentials {
  /** `access.source` is the same as `source`. */
  readonly access: PlatformAccess;
  readonly source: string;
  /** If the login record has it. */
  readonly expiresAt?: Date;
}

/** The gateway of DGX Cloud Lepton. A workspace's address is this, followed by its id. */
const gateway = 'https://gateway.dgxc-lepton.nvidia.com/api/v2/workspaces';

/**
 * Finds credentials in `LEPTON_WORKSPACE_ID` (may be `workspace:token`), `LEPTON_WORKSPACE_TOKEN`, `LEPTON_WORKSPACE_URL` and
 * `LEPTON_WORKSPACE_ORIGIN_URL`. Values that are not set come from the `lep login` file; without `LEPTON_WORKSPACE_ID`, from
 * that file's current workspace. Returns `undefined` if there are none at all. Throws `CredentialsError` if the variables are
 * incomplete or the file is malformed.
 */
export function findCredentials({ env, homeFolder }: { env: Env; homeFolder?: string }): FoundCredentials | undefined {
  const given = readEnv(env);
  if (given.workspace === undefined) {
    refuseTokenWithoutWorkspace(given);
    return currentLogin(readLoginFile(env, homeFolder));
  }
  const complete = given.token !== undefined && given.url !== undefined;
  const file = complete ? readableLoginFile(env, homeFolder) : readLoginFile(env, homeFolder);
  return fromEnv({ ...given, workspace: given.workspace }, file);
}

/** Finds the login record of one workspace, current or not. */
export function findLogin({
  env,
  homeFolder,
  workspace,
}: {
  env: Env;
  homeFolder?: string;
  workspace: string;
}): FoundCredentials | undefined {
  const file = readLoginFile(env, homeFolder);
  const record = file?.workspaces[workspace];
  return file && record ? fromRecord(file, workspace, record) : undefined;
}

interface EnvCredentials {
  readonly workspace: string | undefined;
  readonly token: string | undefined;
  readonly url: string | undefined;
  readonly origin: string | undefined;
  readonly tokenVariable: string;
}

function readEnv(env: Env): EnvCredentials {
  const read = (name: string) => env[`LEPTON_WORKSPACE_${name}`]?.trim() || undefined;
  const id = read('ID');
  const colon = id?.indexOf(':') ?? -1;
  const joined = id !== undefined && colon >= 0;
  return {
    workspace: joined ? id.slice(0, colon) || undefined : id,
    token: joined ? id.slice(colon + 1) || undefined : read('TOKEN'),
    url: read('URL'),
    origin: read('ORIGIN_URL'),
    tokenVariable: joined ? 'LEPTON_WORKSPACE_ID' : 'LEPTON_WORKSPACE_TOKEN',
  };
}

/** Without its workspace, a token might be sent to the address of another one. */
function refuseTokenWithoutWorkspace({ token, url }: EnvCredentials): void {
  const set = [
    ...(token === undefined ? [] : ['LEPTON_WORKSPACE_TOKEN']),
    ...(url === undefined ? [] : ['LEPTON_WORKSPACE_URL']),
  ];
  if (set.length === 0) return;
  throw new CredentialsError(
    `${set.join(' and ')} ${set.length > 1 ? 'are' : 'is'} set, but LEPTON_WORKSPACE_ID is not: set it to the workspace's id, or unset the ${set.length > 1 ? 'others' : 'other'}.`,
  );
}

function fromEnv(given: EnvCredentials & { workspace: string }, file: LoginFile | undefined): FoundCredentials {
  const { workspace } = given;
  const record = file?.workspaces[workspace];
  const token = given.token ?? record?.auth_token ?? undefined;
  if (token === undefined) {
    throw new CredentialsError(
      `LEPTON_WORKSPACE_ID is set (${workspace}), but there is no token for it: set LEPTON_WORKSPACE_TOKEN, or run lep login.`,
    );
  }
  const source = given.token === undefined ? loginSource(file) : given.tokenVariable;
  return found({
    workspace,
    token,
    source,
    url: given.url ?? record?.url ?? `${gateway}/${encodeURIComponent(workspace)}`,
    origin: given.origin ?? record?.workspace_origin_url,
    expiresAt: record?.auth_token === token ? record.token_expires_at : undefined,
  });
}

function currentLogin(file: LoginFile | undefined): FoundCredentials | undefined {
  if (file?.current === undefined) return undefined;
  const record = file.workspaces[file.current];
  if (!record) {
    throw new CredentialsError(
      `${file.file}: the current workspace is ${file.current}, but there is no record of it. Log in again (lep login).`,
    );
  }
  return fromRecord(file, file.current, record);
}

function fromRecord(file: LoginFile, workspace: string, record: LoginRecord): FoundCredentials {
  if (!record.auth_token) {
    throw new CredentialsError(`${file.file}: there is no token for workspace ${workspace}. Log in again (lep login).`);
  }
  return found({
    workspace,
    token: record.auth_token,
    source: loginSource(file),
    url: record.url,
    origin: record.workspace_origin_url,
    expiresAt: record.token_expires_at,
  });
}

function found(parts: {
  workspace: string;
  token: string;
  source: string;
  url: string;
  origin: string | null | undefined;
  expiresAt: number | null | undefined;
}): FoundCredentials {
  const { workspace, token, source, expiresAt } = parts;
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new CredentialsError(
      `the token from ${source} contains characters that a token cannot have (spaces, line breaks, …): copy it again.`,
    );
  }
  const access = {
    url: checkUrl(parts.url, source),
    workspace,
    token,
    source,
    ...(parts.origin ? { origin: bareOrigin(parts.origin) } : {}),
  };
  return { access, source, ...(typeof expiresAt === 'number' ? { expiresAt: new Date(expiresAt) } : {}) };
}

function checkUrl(url: string, source: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new CredentialsError(
      `the workspace address is not an http(s) URL (LEPTON_WORKSPACE_URL, or ${source}): expected something like ${gateway}/<workspace>.`,
    );
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new CredentialsError(
      'the workspace address contains a user name or password: remove them from the URL, only the token is sent.',
    );
  }
  return url.replace(/\/+$/, '');
}

/** Returns scheme, host and port, as the service's own client does. */
const bareOrigin = (text: string): string => (URL.canParse(text) ? new URL(text).origin : text);

const loginSource = (file: LoginFile | undefined): string => `lep login (${file?.file ?? 'no file'})`;

/** Reads the file if possible. It is optional for a user whose variables are complete. */
function readableLoginFile(env: Env, homeFolder: string | undefined): LoginFile | undefined {
  try {
    return readLoginFile(env, homeFolder);
  } catch {
    return undefined;
  }
}

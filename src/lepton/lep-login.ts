/** Reads the file that `lep login` writes: a record per workspace, and which of them is current. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { CredentialsError } from './lepton-error';

const recordSchema = z.looseObject({
  url: z.string(),
  auth_token: z.string().nullish(),
  workspace_origin_url: z.string().nullish(),
  /** Milliseconds since the epoch. */
  token_expires_at: z.number().nullish(),
});

const fileSchema = z.looseObject({
  current_workspace: z.string().nullish(),
  workspaces: z.record(z.string(), recordSchema).nullish(),
});

export type LoginRecord = z.infer<typeof recordSchema>;

export interface LoginFile {
  readonly file: string;
  readonly current: string | undefined;
  readonly workspaces: Readonly<Record<string, LoginRecord>>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Returns `$LEPTON_CACHE_DIR/workspace_info.yaml`; the default folder is `~/.cache/lepton`. */
export function loginFilePath(env: Env, homeFolder: string = homedir()): string {
  return path.join(env['LEPTON_CACHE_DIR'] || path.join(homeFolder, '.cache', 'lepton'), 'workspace_info.yaml');
}

/** Reads the file; `undefined` if it does not exist. Throws `CredentialsError` if it cannot be read or is malformed. */
export function readLoginFile(env: Env, homeFolder?: string): LoginFile | undefined {
  const file = loginFilePath(env, homeFolder);
  const text = readText(file);
  if (text === undefined) return undefined;
  const parsed = fileSchema.safeParse(parseYaml(text, file));
  if (!parsed.success) {
    const { path: where, message } = parsed.error.issues[0] ?? { path: [], message: 'not a mapping' };
    throw malformed(file, `${where.join('.') || 'top level'}: ${message}`);
  }
  const { current_workspace: current, workspaces } = parsed.data;
  return { file, current: current ?? undefined, workspaces: workspaces ?? {} };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CredentialsError(
      `${file}: cannot be read (${code ?? String(error)}). Make it readable, or set LEPTON_WORKSPACE_ID and LEPTON_WORKSPACE_TOKEN.`,
    );
  }
}

function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text, { logLevel: 'error' });
  } catch (error) {
    // Give the line number only: the parser's message quotes the line, which may contain the token.
    const line = (error as { linePos?: readonly { readonly line: number }[] }).linePos?.[0]?.line;
    throw malformed(file, `not valid YAML${line === undefined ? '' : `, line ${line}`}`);
  }
}

const malformed = (file: string, problem: string): CredentialsError =>
  new CredentialsError(
    `${file}: not a valid login file of lep (${problem}). Log in again (lep login), or set LEPTON_WORKSPACE_ID and LEPTON_WORKSPACE_TOKEN.`,
  );

/** The environment variables that a config can refer to: the caller's, and those of a `.env` file. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'dotenv';
import { ConfigError } from './yaml/problems';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Adds the variables of `envFile` (which must exist), or of `.env` in `cwd` if there is one. Variables already set win. Throws `ConfigError`. */
export function loadEnvironment(request: { env: Environment; envFile?: string; cwd: string }): Environment {
  const file = path.resolve(request.cwd, request.envFile ?? '.env');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (request.envFile === undefined && (code === 'ENOENT' || code === 'EISDIR')) return request.env;
    throw new ConfigError([
      {
        file,
        path: '',
        message: code === 'ENOENT' ? 'the env file does not exist' : `the env file cannot be read (${code})`,
      },
    ]);
  }
  const set = Object.fromEntries(Object.entries(request.env).filter(([, value]) => value !== undefined));
  return { ...parse(text.replace(/^\ufeff/, '')), ...set };
}

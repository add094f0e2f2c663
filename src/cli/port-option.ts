import { UsageError } from './usage-error';

/** Parses `--port`; 0 means any free port. Throws `UsageError`. */
export function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new UsageError(`--port takes a number from 0 to 65535, not "${text}".`);
  return port;
}

import { UsageError } from './usage-error';

/** The value of `--port`; 0: any free one. Throws `UsageError`. */
export function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new UsageError(`--port wants a number from 0 to 65535, got "${text}".`);
  return port;
}

/** The time limit of an evaluation, which is also in its job's script. Pure. */
import { gunzipSync, gzipSync } from 'node:zlib';

const part = /printf %s '([A-Za-z0-9+/=]+)'(?= \| base64 -d \| gzip -dc)/g;

/** Returns a job's command with another limit; a command that has none is returned as it is. */
export function withTimeLimit(command: readonly string[], seconds: number): readonly string[] {
  return command.map((text) =>
    text.replace(part, (whole, packed: string) => {
      const script = gunzipSync(Buffer.from(packed, 'base64')).toString('utf8');
      const changed = script
        .replace(/^(bound="timeout -k \d+ )\d+"$/m, `$1${seconds}"`)
        .replace(/(the evaluation reached its limit of )\d+ s /, `$1${seconds} s `);
      if (changed === script) return whole;
      return `printf %s '${gzipSync(Buffer.from(changed, 'utf8'), { level: 9 }).toString('base64')}'`;
    }),
  );
}

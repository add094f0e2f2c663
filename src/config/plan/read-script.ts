/** Reads a job's command back: what it carries as data, people want to see. The inverse of job-script.ts. Pure. */
import { gunzipSync } from 'node:zlib';
import { runConfigFile } from './job-script';

/**
 * The evaluator's run config, YAML, in the command of a job of ours; what is filled in only in the container reads `***`. `undefined`:
 * the command is not one of ours.
 */
export function runConfigIn(command: readonly string[] | undefined): string | undefined {
  const packed = /printf %s '([A-Za-z0-9+/=]+)' \| base64 -d \| gzip -dc/.exec(command?.[2] ?? '')?.[1];
  if (packed === undefined) return undefined;
  const script = gunzipSync(Buffer.from(packed, 'base64')).toString('utf8');
  const whole = new RegExp(`^cat > "\\$work/${runConfigFile}" <<'(\\w+)'\\n([^]*?\\n)\\1$`, 'm').exec(script);
  return whole ? whole[2] : fromPieces(script);
}

const piece = /printf %s (?:"\$\{\w+:\?\}"|((?:'[^']*'|\\'|[\w@%+=:,./-]+)+))\n/g;

/** Texts and variables, printed one after the other. */
function fromPieces(script: string): string | undefined {
  const end = script.indexOf(`\n} > "$work/${runConfigFile}"`);
  const start = script.lastIndexOf('\n{\n', end);
  if (end < 0 || start < 0) return undefined;
  const texts = [...script.slice(start + 3, end + 1).matchAll(piece)].map(([, text]) =>
    text === undefined ? '***' : text.replaceAll(/'([^']*)'|\\'/g, (_, quoted?: string) => quoted ?? "'"),
  );
  return texts.join('');
}

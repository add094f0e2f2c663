/** Reads the run config back out of a job's command, to show it. The inverse of job-script.ts. Pure. */
import { gunzipSync } from 'node:zlib';
import { remembering } from '../../support/remembering';
import { runConfigFile } from './job-script';

/**
 * Returns the evaluator's run config, as YAML, from a job's command. What is filled in only in the container reads `***`.
 * `undefined` if the command was not made by evalsaga.
 */
export function runConfigIn(command: readonly string[] | undefined): string | undefined {
  const script = scriptIn(command);
  if (script === undefined) return undefined;
  const whole = new RegExp(`^cat > "\\$work/${runConfigFile}" <<'(\\w+)'\\n([^]*?\\n)\\1$`, 'm').exec(script);
  return whole ? whole[2] : fromPieces(script);
}

const part = /printf %s '([A-Za-z0-9+/=]+)' \| base64 -d \| gzip -dc|printf %b '([^']*)'/g;

/** Returns the script that a job's command unpacks; `undefined` if the command was not made by evalsaga. */
export function scriptIn(command: readonly string[] | undefined): string | undefined {
  const parts = [...(command?.[2] ?? '').matchAll(part)].map(([, packed, escaped = '']) =>
    packed === undefined ? unescaped(escaped) : decompressed(packed),
  );
  return parts.length === 0 ? undefined : parts.join('');
}

const decompressed = remembering((packed: string): string =>
  gunzipSync(Buffer.from(packed, 'base64')).toString('utf8'),
);

const unescaped = (text: string): string =>
  text.replaceAll(/\\(\\|0(\d{3}))/g, (_, all: string, octal?: string) =>
    octal === undefined ? all : String.fromCharCode(parseInt(octal, 8)),
  );

const piece = /printf %s (?:"\$\{\w+:\?\}"|((?:'[^']*'|\\'|[\w@%+=:,./-]+)+))\n/g;

/** Reads a file that is written as a sequence of texts and variables. */
function fromPieces(script: string): string | undefined {
  const end = script.indexOf(`\n} > "$work/${runConfigFile}"`);
  const start = script.lastIndexOf('\n{\n', end);
  if (end < 0 || start < 0) return undefined;
  const texts = [...script.slice(start + 3, end + 1).matchAll(piece)].map(([, text]) =>
    text === undefined ? '***' : text.replaceAll(/'([^']*)'|\\'/g, (_, quoted?: string) => quoted ?? "'"),
  );
  return texts.join('');
}

/** Masks secrets in texts that quote a server. Pure. */
import { secretsInUrl } from './secret-url';
import { shortestMasked } from './limits';
import { withoutMadeTokens } from './made-tokens';

const mask = '***';

/** Variables that evalsaga sets itself: names and addresses, which are useful in messages. */
const ownVariable = /^EVALSAGA_(?!URL_SECRET_)/;

/**
 * Returns every literal in `envs[].value` and `api_tokens[].value` of a request body, at any depth, and in a list of secrets: an
 * answer may echo the request.
 */
export function secretsOfBody(body: unknown): string[] {
  const found: string[] = [];
  collect(body, Array.isArray(body), found);
  return found;
}

function collect(node: unknown, inside: boolean, found: string[]): void {
  if (Array.isArray(node)) {
    for (const item of node) collect(item, inside, found);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  const entry = node as Record<string, unknown>;
  const { name, value: literal } = entry;
  const own = typeof name === 'string' && ownVariable.test(name);
  if (inside && !own && typeof literal === 'string') found.push(literal);
  for (const [key, value] of Object.entries(entry)) collect(value, key === 'envs' || key === 'api_tokens', found);
}

/** Masks the secrets, values of an echoed request, and credentials in URLs. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  return maskUrlCredentials(maskEchoedValues(maskKnown(text, secrets)));
}

/** Masks the secrets, in plain and in JSON-, URL- and base64-escaped form, tokens made for endpoints, and nothing else. */
export const maskKnown = (text: string, secrets: readonly string[]): string => maskOf(secrets)(text);

/** Like `maskKnown`, for many texts. */
export function maskOf(secrets: readonly string[]): (text: string) => string {
  const forms = secretForms(secrets);
  return (text) =>
    maskCut(
      withoutMadeTokens(
        forms.reduce((result, form) => result.replaceAll(form, mask), text),
        mask,
      ),
      forms,
    );
}

/** Length of the shortest beginning of a secret that is masked at a cut, characters. */
const shortestCut = 4;

/** Masks the beginning of a secret before an ellipsis: the text may have been cut before it was masked. */
function maskCut(text: string, forms: readonly string[]): string {
  if (!text.includes('…')) return text;
  const longest = Math.max(0, ...forms.map((form) => form.length - 1));
  return text
    .split('…')
    .map((part, at, parts) => (at === parts.length - 1 ? part : withoutBeginning(part, { forms, longest })))
    .join('…');
}

function withoutBeginning(
  text: string,
  { forms, longest }: { readonly forms: readonly string[]; readonly longest: number },
): string {
  for (let at = Math.max(0, text.length - longest); at <= text.length - shortestCut; at += 1) {
    const end = text.slice(at);
    if (forms.some((form) => form.startsWith(end))) return `${text.slice(0, at)}${mask}`;
  }
  return text;
}

/** Returns all forms in which the secrets may occur in a text, longest first, so that a secret that contains another is masked whole. */
export function secretForms(secrets: readonly string[]): string[] {
  const forms = secrets
    .flatMap((secret) => [secret, secret.trim(), ...secretsInUrl(secret.trim())])
    .filter((secret) => secret.length >= shortestMasked)
    .flatMap(escapedForms);
  return [...new Set(forms)].sort((a, b) => b.length - a.length);
}

function escapedForms(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const twice = JSON.stringify(json).slice(1, -1);
  const base64 = Buffer.from(secret, 'utf8').toString('base64').replace(/=+$/, '');
  return [secret, json, twice, encodeURIComponent(secret), base64];
}

/** Masks every `"value": "…"` of an echoed request body, however short and however often it was escaped. */
function maskEchoedValues(text: string): string {
  return text.replace(/((\\{0,15})(["'])value\2\3\s*:\s*\2\3)(?:(?!(?<!\\)\2\3)[^])*/g, `$1${mask}`);
}

function maskUrlCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/"'<>?#]+@/gi, `$1${mask}@`);
}

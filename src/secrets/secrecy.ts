/** Which values look like secrets, and how texts are masked. Names are judged in `secrets/names`. Pure. */
import { masked as withoutPlaceholders } from '../contract/url-placeholders';
import { shortestMasked } from './limits';
import { isSecretParameter, judgeName } from './names';

const tokenShapes = [
  /\bnvapi-[A-Za-z0-9_-]{10,}/,
  /\bhf_(?=[A-Za-z0-9]*[A-Z0-9])[A-Za-z0-9]{16,}/,
  /\bsk-(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}/,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/,
  /\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}/,
  /\bapi_org_[A-Za-z0-9]{16,}/,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/,
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/,
  /\bxapp-\d[A-Za-z0-9-]{16,}/,
  /\bgl(?:pat|ptt|dt|rt|agent)-[A-Za-z0-9_-]{16,}/,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  /\b(?:npm|gsk|dckr_pat|dckr_oat)_[A-Za-z0-9_-]{20,}/,
  /\b(?:tvly|pplx|lsv2_pt|dop_v1|dapi|r8|SG)[-_.](?=[A-Za-z0-9._-]*\d)[A-Za-z0-9._-]{20,}/,
  /\bxai-(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{20,}/,
  /\bpypi-AgE[A-Za-z0-9_-]{20,}/,
  /\bya29\.[A-Za-z0-9_-]{20,}/,
  /\b(?:Bearer|Basic)\s+(?=\S*\d)[A-Za-z0-9._~+/=-]{16,}/i,
  /\bAIza[0-9A-Za-z_-]{30,}/,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\./,
  /^sk-(?=[A-Za-z]*\d)[A-Za-z0-9]{6,}$/,
  /-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----/,
  /\bAGE-SECRET-KEY-1[A-Z0-9]{20,}/,
  /\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{20,}/,
];

/** Whether a literal has the form of a well-known token. */
export const looksLikeToken = (text: string): boolean => tokenShapes.some((shape) => shape.test(text));

/** Whether a literal in a place for secrets looks random enough to be one. */
export function looksRandom(text: string): boolean {
  if (looksLikeToken(text)) return true;
  if (text.length < 20 || /[\s/]/.test(text)) return false;
  return /[0-9]/.test(text) && /[A-Za-z]/.test(text) && new Set(text).size >= 12;
}

/** Whether the text says where to find a value, instead of being the value. */
export const isReference = (value: string): boolean => /^['"]?(?:(?:host|runtime):|\$)/.test(value);

/** Values that are used as a key for servers that need none. */
const standIn = /^(?:|EMPTY|NONE|NULL|DUMMY|UNUSED|NOT-NEEDED|TRUE|FALSE)$/i;

/** Whether the value is the name of a variable with the key, as harnesses take it: `api_key: JUDGE_API_KEY`. */
const namesVariable = (name: string, value: string): boolean =>
  /^[A-Z][A-Z0-9_]{3,}$/.test(value) &&
  (value.includes('_') || /keys?$|tokens?$/i.test(name)) &&
  !looksLikeToken(value);

/** Whether a literal may stand under a name that says "secret": it refers to the secret, or evidently is none. */
function isHarmless(name: string, value: string): boolean {
  if (standIn.test(value) || isReference(value) || /^<.*>$/.test(value)) return true;
  if (/credentials?$/i.test(name) && /^(?:~|\.{1,2})?\/[\w./-]+$/.test(value)) return true;
  return namesVariable(name, value);
}

/** Whether the literal `value` of something called `name` is taken for a secret: by the name alone where that is sure, else by its look too. */
export function holdsKey(name: string, value: string): boolean {
  switch (judgeName(name)) {
    case 'no':
      return false;
    case 'perhaps':
      return looksRandom(value);
    case 'sure':
      return !isHarmless(name, value);
  }
}

/** Whether it looks like a key, also where the words around it are prose. */
function looksLikeKey(name: string, value: string): boolean {
  const key = value.replace(/^(?:Bearer|Basic|Token|Digest)\s+/i, '');
  // Whatever follows the scheme of such a header is the secret, however short.
  if (key !== value && /^(?:proxy-)?authorization$/i.test(name)) return true;
  if (looksRandom(value)) return true;
  if (key.length < 12 || /\s|:\/\/|^[./~$<]/.test(key) || namesVariable(name, key)) return false;
  return /[0-9]/.test(key) && /[A-Za-z]/.test(key) && new Set(key).size >= 8;
}

/** `--api-key VALUE`, `TOKEN=VALUE`, `X-Api-Key: VALUE` within a longer text. */
const assignments =
  /(?:--([A-Za-z][\w-]{0,63})(?:\s*=\s*|\s+)|\b([A-Za-z][\w-]{0,63})\s*([=:])\s*)(?=(["']?)((?:(?:Bearer|Basic|Token) )?[^\s"']{1,512})\4)/g;

/** Whether the value is an expression or the next option, not a literal. */
const isExpression = (value: string): boolean => /^[-`(]|[([]/.test(value);

/** Returns the values in a text that are assigned to something named like a secret. Pure. */
export const assignedKeys = (text: string): string[] =>
  // Placeholders of secrets are no secrets.
  [...withoutPlaceholders(text).matchAll(assignments)].flatMap(([, option, variable, sign, , value = '']) => {
    const name = option ?? variable ?? '';
    if (judgeName(name) !== 'sure' || isExpression(value) || value.startsWith('***'))
      return holdsKey(name, value) && looksRandom(value) ? [value] : [];
    const found = sign === ':' ? looksLikeKey(name, value) : holdsKey(name, value);
    return found ? [value] : [];
  });

/** Masks everything that looks like a token, and every password or key in a URL. */
export function maskTokens(text: string): string {
  let masked = withoutPlaceholders(text)
    .replaceAll(/([a-z][a-z0-9+.-]*:\/{2,})[^\s/"'<>?#]*@/gi, '$1***@')
    .replaceAll(/([?&])([\w.%-]+)=([^&\s"'#]+)/g, (pair: string, mark: string, name: string) =>
      isSecretParameter(name) ? `${mark}${name}=***` : pair,
    );
  for (const shape of tokenShapes) masked = masked.replaceAll(new RegExp(shape.source, `${shape.flags}g`), '***');
  return masked;
}

/** Masks each of `values`, except very short ones, which would garble the text. */
export function maskValues(text: string, values: readonly string[]): string {
  return values
    .filter((value) => value.length >= shortestMasked)
    .reduce((masked, value) => masked.replaceAll(value, '***'), text);
}

/** An argument of a command line, fit for messages and records: what is given to something named like a secret is masked. */
export function maskOverride(text: string): string {
  const equal = text.indexOf('=');
  if (equal === -1) return maskTokens(text);
  const key = text.slice(0, equal);
  const name = key.split('.').findLast((part) => !/^\d+$/.test(part)) ?? '';
  return `${key}=${maskedValue(name, text.slice(equal + 1))}`;
}

function maskedValue(name: string, value: string): string {
  const plain = value.replaceAll(/^(["'])(.*)\1$/gs, '$2');
  if (/^\s*\{|^\s*\[.*\{/s.test(plain)) return maskTokens(maskPairs(value));
  if (/^\s*\[/.test(plain))
    return maskTokens(value.replaceAll(/[^\s,[\]"']+/g, (item) => (holdsKey(name, item) ? '***' : item)));
  return holdsKey(name, plain) ? '***' : maskTokens(maskPairs(value));
}

/** `{NAME: VALUE}` and `NAME=VALUE` within an argument. */
const maskPairs = (text: string): string =>
  text.replaceAll(
    /(["']?)([A-Za-z][\w.-]{0,63})\1(\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,{}[\]"']+)/g,
    (pair: string, quote: string, name: string, sign: string, value: string) =>
      holdsKey(name.split('.').at(-1) ?? '', value.replaceAll(/^(["'])(.*)\1$/gs, '$2'))
        ? `${quote}${name}${quote}${sign}***`
        : pair,
  );

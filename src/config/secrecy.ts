/** What counts as a secret: by a variable's name, and by the look of a value. Pure. */
import { isSecretParameter, masked as withoutPlaceholders } from '../contract/secret-url';

const secretWords =
  /(?:^|_)(?:TOKEN|TOKENS|KEY|KEYS|APIKEY|SECRET|SECRETS|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIAL|CREDENTIALS|AUTHORIZATION|COOKIE)(?:_|$)|(?:TOKEN|SECRET|PASSWORD|CREDENTIALS?|APIKEY|API_KEY)$/i;

/** Names that contain a secret word but never hold one. */
const harmless =
  /(?:_NAME|_PATH|_FILE|_DIR|_ID|_URL|_COUNT|_LIMIT|^MAX_.*TOKENS?.*|_TOKENS)$|^PWD$|^OLDPWD$|TOKENIZER|^(?:PAD|EOS|BOS|UNK|START|END)_.*TOKEN$|NUM_.*TOKENS?/i;

/** Whether what has this name is taken to hold a secret: `HF_TOKEN`, `JUDGE_API_KEY`, `X-Api-Key`, `apiKey`, `Authorization`. */
export function isSecretName(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll('-', '_');
  return secretWords.test(words) && !harmless.test(words);
}

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

/** Names that can mean nothing else; a bare `key` is as often one to sort or look up by. */
const surelySecret =
  /(?:API|ACCESS|SECRET|PRIVATE|SIGNING|ENCRYPTION|MASTER)_?KEYS?$|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTHORIZATION|COOKIE/i;

/** Whether the literal `value` of something called `name` may be a secret: neither words, a path, nor the name of a variable. */
export function holdsKey(name: string, value: string): boolean {
  if (!isSecretName(name)) return false;
  if (looksRandom(value)) return true;
  const key = value.replace(/^(?:Bearer|Basic|Token|Digest)\s+/i, '');
  // Whatever follows the scheme of such a header is the secret, however short.
  if (key !== value && /^(?:proxy-)?authorization$/i.test(name)) return true;
  if (!surelySecret.test(name.replaceAll('-', '_')) || key.length < 12) return false;
  if (/\s|:\/\/|^[./~$<]|^[A-Z][A-Z0-9_]*$/.test(key)) return false;
  return /[0-9]/.test(key) && /[A-Za-z]/.test(key) && new Set(key).size >= 8;
}

/** `--api-key VALUE`, `TOKEN=VALUE`, `X-Api-Key: VALUE` within a longer text. */
const assignments =
  /(?:--([A-Za-z][\w-]{0,63})(?:\s*=\s*|\s+)|\b([A-Za-z][\w-]{0,63})\s*[=:]\s*)(?=(["']?)((?:(?:Bearer|Basic|Token) )?[^\s"']{1,512})\3)/g;

/** Values in a text that look like secrets, given to something that is named like one. Pure. */
export const assignedKeys = (text: string): string[] =>
  // The place of a secret that was taken out is none.
  [...withoutPlaceholders(text).matchAll(assignments)].flatMap(([, option, variable, , value = '']) =>
    holdsKey(option ?? variable ?? '', value) ? [value] : [],
  );

/** `text` with everything that looks like a token, and every password or key in a URL, masked. */
export function maskTokens(text: string): string {
  let masked = withoutPlaceholders(text)
    .replaceAll(/([a-z][a-z0-9+.-]*:\/{2,})[^\s/"'<>?#]*@/gi, '$1***@')
    .replaceAll(/([?&])([\w.%-]+)=([^&\s"'#]+)/g, (pair: string, mark: string, name: string) =>
      isSecretParameter(name) ? `${mark}${name}=***` : pair,
    );
  for (const shape of tokenShapes) masked = masked.replaceAll(new RegExp(shape.source, `${shape.flags}g`), '***');
  return masked;
}

/** `text` with each of `values` masked; very short ones are left, since masking them garbles everything. */
export function maskValues(text: string, values: readonly string[]): string {
  return values.filter((value) => value.length >= 6).reduce((masked, value) => masked.replaceAll(value, '***'), text);
}

/** An `-o` argument fit for messages: the value of a key that is named like a secret is masked. */
export function maskOverride(text: string): string {
  const equal = text.indexOf('=');
  const last =
    text
      .slice(0, equal === -1 ? undefined : equal)
      .split('.')
      .at(-1) ?? '';
  const value = text.slice(equal + 1);
  const reference = /^(?:host:|runtime:|\$\{|['"]?host:)/.test(value);
  if (equal !== -1 && isSecretName(last) && !reference && value !== '') return `${text.slice(0, equal)}=***`;
  return maskTokens(text);
}

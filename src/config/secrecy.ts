/** What counts as a secret: by a variable's name, and by the look of a value. Pure. */
import { isSecretParameter, masked as withoutPlaceholders } from '../contract/secret-url';

const secretWords =
  /(?:^|_)(?:TOKEN|TOKENS|KEY|KEYS|APIKEY|SECRET|SECRETS|PASSWORD|PASSWD|PWD|CREDENTIAL|CREDENTIALS)(?:_|$)|(?:TOKEN|SECRET|PASSWORD|CREDENTIALS?|APIKEY|API_KEY)$/i;

/** Names that contain a secret word but never hold one. */
const harmless =
  /(?:_NAME|_PATH|_FILE|_DIR|_ID|_URL|_COUNT|_LIMIT|^MAX_.*TOKENS?.*|_TOKENS)$|^PWD$|^OLDPWD$|TOKENIZER|^(?:PAD|EOS|BOS|UNK|START|END)_.*TOKEN$|NUM_.*TOKENS?/i;

/** Whether a variable of this name is taken to hold a secret: `HF_TOKEN`, `JUDGE_API_KEY`, `DB_PASSWORD`. */
export const isSecretName = (name: string): boolean => secretWords.test(name) && !harmless.test(name);

const tokenShapes = [
  /\bnvapi-[A-Za-z0-9_-]{10,}/,
  /\bhf_(?=[A-Za-z0-9]*[A-Z0-9])[A-Za-z0-9]{16,}/,
  /\bsk-(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}/,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/,
  /\bxox[abprs]-[A-Za-z0-9-]{10,}/,
  /\bglpat-[A-Za-z0-9_-]{16,}/,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  /\b(?:npm|gsk|dckr_pat|dckr_oat)_[A-Za-z0-9_-]{20,}/,
  /\bxai-(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{20,}/,
  /\bpypi-AgE[A-Za-z0-9_-]{20,}/,
  /\bya29\.[A-Za-z0-9_-]{20,}/,
  /\b(?:Bearer|Basic)\s+(?=\S*\d)[A-Za-z0-9._~+/=-]{16,}/i,
  /\bAIza[0-9A-Za-z_-]{30,}/,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\./,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
];

/** Whether a literal has the form of a well-known token. */
export const looksLikeToken = (text: string): boolean => tokenShapes.some((shape) => shape.test(text));

/** Whether a literal in a place for secrets looks random enough to be one. */
export function looksRandom(text: string): boolean {
  if (looksLikeToken(text)) return true;
  if (text.length < 20 || /[\s/]/.test(text)) return false;
  return /[0-9]/.test(text) && /[A-Za-z]/.test(text) && new Set(text).size >= 12;
}

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

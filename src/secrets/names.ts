/** The one rule for "does something of this name hold a secret?": variables, config keys, options, headers, URL parameters. Pure. */

/**
 * - `sure`: the name can mean nothing else (`HF_TOKEN`, `db_password`, `X-Api-Key`).
 * - `perhaps`: the name alone does not tell (`sort_key`, `first_pass`); what it holds must look like a secret too.
 */
export type NameVerdict = 'sure' | 'perhaps' | 'no';

const strong = new Set(
  (
    'TOKEN SECRET SECRETS PASSWORD PASSWORDS PASSWD PASSPHRASE PASSCODE PWD CREDENTIAL CREDENTIALS CREDS AUTHORIZATION ' +
    'COOKIE COOKIES APIKEY APIKEYS JWT'
  ).split(' '),
);

/** Before `KEY` or `KEYS`, they make it one that opens something. */
const opening = new Set(
  'API ACCESS SECRET PRIVATE SIGNING ENCRYPTION MASTER AUTH SERVICE ACCOUNT SUBSCRIPTION LICENSE SSH SSL TLS'.split(
    ' ',
  ),
);

/** Before `KEY`, they make it one to sort, look up or publish by. */
const lookup = new Set(
  'SORT PRIMARY FOREIGN LABEL PARTITION CACHE PUBLIC INDEX DOC ANSWER QUESTION INPUT OUTPUT GROUP JSON DATA'.split(' '),
);

/** Before `TOKENS`, they make it what is presented, not what is counted. */
const presented = new Set('API ACCESS AUTH BEARER REFRESH SECRET HF HUB'.split(' '));

/** With one of these words a `TOKEN` is a piece of a model's text. */
const ofText = new Set(
  (
    'PAD EOS BOS UNK SEP CLS MASK START END STOP BEGIN EOT SOT EOD IMAGE AUDIO VIDEO THINK THINKING REASONING SPECIAL ADDED ' +
    'PREFIX SUFFIX MIDDLE FIM NEXT FIRST LAST NEW INPUT OUTPUT PROMPT COMPLETION CONTEXT PER MIN MAX NUM N TOTAL BATCHED DRAFT'
  ).split(' '),
);

/** A name that ends in one of these says something about a secret, or where it is. */
const about = new Set(
  (
    'NAME NAMES PATH FILE DIR FOLDER ID IDS URL URI HOST PORT COUNT LIMIT LENGTH SIZE TYPE FORMAT TTL TIMEOUT EXPIRY REF ' +
    'PARALLELISM REQUIRED ENABLED DISABLED'
  ).split(' '),
);

/** A switch: what it holds is yes or no. */
const switches = new Set('USE ENABLE DISABLE REQUIRE HAS ALLOW SKIP IGNORE IS NO'.split(' '));

/** Written as one word: `PGPASSWORD`, `HFTOKEN`, `authtoken`, `accesskey`. */
const glued = /(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|API_?KEYS?|ACCESSKEY|PRIVATEKEY|SECRETKEY)$/;

/** Well-known names that say "secret" and mean something else: a shell's folder, a file's path, names of secrets. */
const exceptions = new Set(['PWD', 'OLDPWD', 'GOOGLE_APPLICATION_CREDENTIALS', 'SSH_AUTH_SOCK', 'image_pull_secrets']);

const wordsOf = (name: string): readonly string[] =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .split(/[^A-Z0-9]+/)
    .filter((word) => word !== '');

/** What a name says about its value. */
export function judgeName(name: string): NameVerdict {
  const words = wordsOf(name);
  const last = words.at(-1) ?? '';
  const has = (set: ReadonlySet<string>): boolean => words.some((word) => set.has(word));
  if (last === '' || exceptions.has(name) || about.has(last) || has(switches)) return 'no';
  if (last === 'TOKEN') return has(ofText) ? 'no' : 'sure';
  if (last === 'TOKENS') return !has(ofText) && has(presented) ? 'sure' : 'no';
  if (strong.has(last)) return 'sure';
  if (/^KEYS?$/.test(last)) return keyVerdict(name, words);
  if (/^(?:PASS|PAT)$/.test(last) && words.length > 1) return isVariable(name) ? 'sure' : 'perhaps';
  if (/^(?:PASS|PAT|PW)$/.test(last)) return 'perhaps';
  if (glued.test(last)) return 'sure';
  // `TOKEN_2`, `SECRET_VALUE`, `API_KEY_PROD`.
  return words.some((word, at) => strong.has(word) || (/^KEYS?$/.test(word) && opening.has(words[at - 1] ?? '')))
    ? has(ofText)
      ? 'no'
      : 'perhaps'
    : 'no';
}

function keyVerdict(name: string, words: readonly string[]): NameVerdict {
  const before = words.slice(0, -1);
  if (before.some((word) => opening.has(word)) && !before.includes('PUBLIC')) return 'sure';
  if (before.length === 0) return 'perhaps';
  if (before.some((word) => lookup.has(word))) return before.includes('PUBLIC') ? 'no' : 'perhaps';
  return isVariable(name) ? 'sure' : 'perhaps';
}

/** Written as variables of an environment are. */
const isVariable = (name: string): boolean => /^[A-Z][A-Z0-9_]*$/.test(name);

/** Whether what has this name is taken to hold a secret, surely or perhaps. */
export const isSecretName = (name: string): boolean => judgeName(name) !== 'no';

/** Whether a literal has no place under this name, whatever it looks like. */
export const isSurelySecretName = (name: string): boolean => judgeName(name) === 'sure';

/** Parameters of a URL's query: signatures, sessions and codes too, and wider, since a value that is masked there still works. */
export const isSecretParameter = (name: string): boolean =>
  /key|token|secret|sign|sig$|^sig|passw|pwd|^pw$|auth|credential|^code$|jwt|session/i.test(name) || isSecretName(name);

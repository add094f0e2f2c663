/** Replaces the secret parts of URLs in a resolved config by placeholders, and puts their values into variables of the run. */
import {
  masked,
  placeholderOf,
  splitAtPlaceholders,
  urlSecretVariable,
  variablesIn,
} from '../../contract/url-placeholders';
import { joinUrl, splitUrl, unescaped } from '../../secrets/secret-url';
import type { UrlParts } from '../../secrets/secret-url';
import type { Environment } from '../environment';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { shortestMasked } from '../../secrets/limits';
import { isSecretName, isSecretParameter } from '../../secrets/names';
import { looksLikeToken, looksRandom } from '../../secrets/secrecy';
import { placeOfNode } from '../yaml/tree';
import type { ConfigNode, Path, ScalarNode } from '../yaml/tree';
import { escapedForYaml, escapedUser, hasUrlSecret, isSecretQuery, normalized, urlsInText } from './url-text';

export interface ExtractedUrlSecrets {
  readonly root: ConfigNode;
  /** `env`, the variables that placeholders name, and further forms of their values that must be masked. */
  readonly env: Environment;
  readonly problems: readonly ConfigProblem[];
}

/**
 * Extracts the secrets of all URLs. Secrets in URLs at places that cannot take a placeholder are reported. `known`: variables that
 * this has returned for another variant of the config, which keep their values.
 */
export function extractUrlSecrets(root: ConfigNode, env: Environment, known: Environment = {}): ExtractedUrlSecrets {
  const extraction = new UrlSecretExtraction(env, urlSecretsIn(known));
  const replaced = extraction.walk(root, []);
  const own = Object.entries(env).filter(([name]) => !name.startsWith(urlSecretPrefix));
  return {
    root: replaced,
    env: { ...Object.fromEntries(own), ...extraction.variables },
    problems: extraction.problems,
  };
}

const urlSecretPrefix = 'EVALSAGA_URL_SECRET_';

/** Returns the names of the variables that `extractUrlSecrets` made. */
export const urlSecretNames = (env: Environment): readonly string[] =>
  Object.keys(env).filter((name) => name.startsWith(urlSecretPrefix));

/** What a text that may contain URLs is for. */
type UrlPosition = 'url' | 'evaluator' | 'variable' | 'script' | 'other';

function urlPositionOf(whole: Path): UrlPosition {
  const path = whole[0] === 'models' ? inVariant(whole.slice(2)) : whole;
  const [top] = path;
  const key = String(path.at(-1) ?? '');
  const parent = path.at(-2);
  if (path.join('.') === 'target.api_endpoint.url') return 'url';
  if (top === 'auxiliary_deployments' && path.length === 3 && key === 'url') return 'url';
  if (top === 'evaluation' && path.includes('nemo_evaluator_config'))
    return /(?:^|_)ur[il]$/.test(key) ? 'url' : 'evaluator';
  if (parent === 'env_vars' || parent === 'envs') return 'variable';
  if (top === 'evaluation' && (key === 'pre_cmd' || key === 'post_cmd')) return 'script';
  return 'other';
}

/** Where a part of a model belongs. */
const inVariant = (part: Path): Path => (part[0] === 'nemo_evaluator_config' ? ['evaluation', ...part] : part);

const urlSecretsIn = (env: Environment): Record<string, string> =>
  Object.fromEntries(urlSecretNames(env).map((name) => [name, env[name] ?? '']));

class UrlSecretExtraction {
  readonly problems: ConfigProblem[] = [];
  private readonly namesByValue: Map<string, string>;
  private currentPath: Path = [];

  constructor(
    private readonly env: Environment,
    readonly variables: Record<string, string>,
  ) {
    const numbered = Object.entries(variables).filter(([name]) => /_\d+$/.test(name));
    this.namesByValue = new Map(numbered.map(([name, value]) => [value, name]));
  }

  walk(node: ConfigNode, path: Path): ConfigNode {
    switch (node.kind) {
      case 'map':
        return {
          ...node,
          entries: new Map([...node.entries].map(([key, child]) => [key, this.walk(child, [...path, key])])),
        };
      case 'list':
        return { ...node, items: node.items.map((item, index) => this.walk(item, [...path, index])) };
      case 'scalar':
        return typeof node.value === 'string' ? this.scalar(node, node.value, path) : node;
    }
  }

  private scalar(node: ScalarNode, text: string, path: Path): ScalarNode {
    const place = urlPositionOf(path);
    this.currentPath = path;
    const host = place === 'url' ? /^host:([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)?.[1] : undefined;
    if (host !== undefined) return this.urlFromHostVariable(node, host, path);
    if (!text.includes('://')) return node;
    switch (place) {
      case 'url':
        return this.replaced(node, text, this.urlIn(text.trim(), node, { all: false }));
      case 'evaluator':
      case 'script':
        return this.replaced(
          node,
          text,
          text.replaceAll(urlsInText, (url) => this.urlIn(url, node, { all: false })),
        );
      case 'variable':
        return this.variable(node, text);
      case 'other':
        if (hasUrlSecret(text)) this.reportMisplacedSecret(node, path);
        return node;
    }
  }

  private urlFromHostVariable(node: ScalarNode, name: string, path: Path): ScalarNode {
    const value = (Object.hasOwn(this.env, name) ? this.env[name] : undefined)?.trim() ?? '';
    if (value === '') {
      this.problems.push({
        ...placeOf(placeOfNode(node)),
        path: path.join('.'),
        message: `the environment variable ${name} is not set, or empty`,
        hint: 'set it to the URL, or add it to .env',
      });
      return { ...node, value: null };
    }
    const url = this.urlIn(value, node, { all: true });
    return { ...this.withFinalText(node, url), ...(isSecretName(name) ? {} : { env: { names: [name], whole: true } }) };
  }

  /** A container's variable with a secret URL is replaced by a reference to a variable of the host. */
  private variable(node: ScalarNode, text: string): ScalarNode {
    if (/^(?:host|runtime):/.test(text) || !hasUrlSecret(text)) return node;
    const value = text.replace(/^lit:/, '');
    for (const [url] of value.matchAll(urlsInText)) this.urlIn(url, node, { all: false });
    const [only, second] = node.env?.whole === true ? node.env.names : [];
    if (only !== undefined && second === undefined) return this.withFinalText(node, `host:${only}`);
    return this.withFinalText(node, `host:${this.variableFor(value)}`);
  }

  /** Replaces the secrets of one URL. `all`: the URL came from a variable of the host, so take every part that may be a secret. */
  private urlIn(url: string, node: ScalarNode, { all }: { all: boolean }): string {
    if (!URL.canParse(url) && url.split('@').length > 2) return this.reportAmbiguousUrl(node);
    const parts = splitUrl(normalized(url));
    if (parts === undefined) return url;
    const take = (value: string): string => placeholderOf(this.variableFor(escapedForYaml(value)));
    const isSecret = (text: string): boolean => looksLikeToken(text) || (all && looksRandom(text));
    const isKey = ({ name, value }: UrlParts['query'][number]): boolean =>
      value !== null && value !== '' && (all || isSecretQuery(name, value));
    // What follows a secret may be the rest of it, if it was not escaped.
    const some =
      parts.user !== null || parts.query.some(({ name }) => isSecretParameter(name)) || parts.query.some(isKey);
    const taken: UrlParts = {
      ...parts,
      user: parts.user === null ? null : take(escapedUser(parts.user)),
      path: parts.path
        .split('/')
        .map((piece) => (isSecret(piece) ? take(piece) : piece))
        .join('/'),
      query: parts.query.map((pair) => {
        if (isKey(pair)) return { name: pair.name, value: take(pair.value ?? '') };
        return some && pair.value === null && pair.name !== '' ? { name: take(pair.name), value: null } : pair;
      }),
      fragment: some && parts.fragment.length > 1 ? `#${take(parts.fragment.slice(1))}` : parts.fragment,
    };
    if (parts.user !== null) this.addMaskedForms(parts.user, parts.host);
    return this.withoutSecretVariables(joinUrl(taken), node);
  }

  /** Replaces the values of secret variables from which the URL was made. A short value that was replaced already is left elsewhere, where it may be a word. */
  private withoutSecretVariables(url: string, node: ScalarNode): string {
    const taken = variablesIn(url).map((name) => this.variables[name] ?? '');
    const isOpen = (value: string): boolean =>
      value.length >= shortestMasked || (value !== '' && !taken.some((part) => part.includes(value)));
    const values = this.secretsOf(node).filter((value) => node.env?.whole !== true && isOpen(value));
    return values.reduce((text, value) => {
      return splitAtPlaceholders(text)
        .map((piece, index) =>
          index % 2 === 1
            ? piece
            : piece.replaceAll(value, () => placeholderOf(this.variableFor(escapedForYaml(value)))),
        )
        .join('');
    }, url);
  }

  private secretsOf(node: ScalarNode): string[] {
    return (node.env?.names ?? []).filter(isSecretName).map((name) => this.env[name] ?? '');
  }

  /** Returns the node with another, final text, without the secret variables whose values it no longer contains. */
  private withFinalText({ kind, origin, keyOrigin, env }: ScalarNode, value: string): ScalarNode {
    const place = keyOrigin === undefined ? { origin } : { origin, keyOrigin };
    const rest = masked(value);
    const names = (env?.names ?? []).filter((name) => {
      const secret = this.env[name] ?? '';
      return !isSecretName(name) || (secret.length >= shortestMasked && rest.includes(secret));
    });
    const from = env === undefined || names.length === 0 ? {} : { env: { names, whole: env.whole } };
    return { kind, value, verbatim: true, ...from, ...place };
  }

  private replaced(node: ScalarNode, before: string, after: string): ScalarNode {
    return after === before ? node : this.withFinalText(node, after);
  }

  private variableFor(value: string): string {
    const known = this.namesByValue.get(value);
    if (known !== undefined) return known;
    const name = urlSecretVariable(this.namesByValue.size + 1);
    this.namesByValue.set(value, name);
    this.variables[name] = value;
    return name;
  }

  /** Adds forms to mask in logs: the password alone, and a short user and password together with their host. */
  private addMaskedForms(user: string, host: string): void {
    const name = this.variableFor(escapedForYaml(escapedUser(user)));
    const password = user.includes(':') ? user.slice(user.indexOf(':') + 1) : '';
    for (const [suffix, value] of [
      ['PASSWORD', unescaped(password)],
      ['PASSWORD_ESCAPED', password],
      ['PLAIN', unescaped(user)],
    ] as const)
      if (value.length >= shortestMasked) this.variables[`${name}_${suffix}`] = value;
    if (user.length < shortestMasked) this.variables[`${name}_AT`] = `//${user}@${host}`;
  }

  /** Reports a URL of which nobody can say where its user and password end. */
  private reportAmbiguousUrl(node: ScalarNode): string {
    this.problems.push({
      ...placeOf(placeOfNode(node)),
      path: this.currentPath.join('.'),
      message: 'cannot be read as a URL',
      hint: 'in a user and password, escape / ? # @ : as %2F %3F %23 %40 %3A',
    });
    return 'https://***';
  }

  private reportMisplacedSecret(node: ScalarNode, path: Path): void {
    const server = path[0] === 'deployment';
    this.problems.push({
      ...placeOf(placeOfNode(node)),
      path: path.join('.'),
      message: 'the URL contains a secret, which would be readable in histories, logs and process lists',
      hint: server
        ? 'pass it to the server as a variable, deployment.envs: {NAME: host:NAME}, and use $NAME in its command'
        : 'remove the user, password or key',
    });
  }
}

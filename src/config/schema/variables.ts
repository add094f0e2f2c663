/** Schemas of container variables and tokens: literals, or references to the value. */
import { z } from 'zod';
import { isPlainObject } from '../../support/plain-object';
import { isOwnVariable, isPlatformVariable } from '../../contract/identity';
import type { SecretRef } from '../../contract/plan';
import { isSecretName, isSurelySecretName } from '../../secrets/names';
import { assignedKeys, holdsKey, looksLikeToken } from '../../secrets/secrecy';
import { accepting } from './accepts';
import { describe, Leaf, refuse } from './leaf';
import type { RawMap } from './leaf';

export type EnvSource =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'secret'; readonly secret: SecretRef }
  /** Another variable of the container itself (`runtime:NAME`). */
  | { readonly kind: 'runtime'; readonly name: string };

export type EnvSources = Readonly<Record<string, EnvSource>>;

/** How text without a prefix is read: Lepton's maps take it literally, NeMo's require `lit:`, `host:` or `runtime:`. */
export type Unprefixed = 'literal' | 'refused';

type Context = z.core.$RefinementCtx;

const variableName = /^[A-Za-z_][A-Za-z0-9._-]*$/;

/** A mapping of container variables. */
export const envMap = (unprefixed: Unprefixed) =>
  accepting(
    { kind: 'variables', needsPrefix: unprefixed === 'refused' },
    z.transform((value, context): EnvSources => {
      if (value === null || value === undefined) return {};
      if (value instanceof Leaf || Array.isArray(value))
        return refuse(context, `expected a mapping of variables, found ${describe(value)}`, 'NAME: VALUE');
      const result: Record<string, EnvSource> = {};
      for (const [name, entry] of Object.entries(value as RawMap)) {
        const report = (message: string, hint?: string) => void refuse(context, message, hint, [name]);
        const obstacle = problemWithName(name);
        if (obstacle !== undefined) {
          report(obstacle);
          continue;
        }
        const source = readEnvValue(name, entry, unprefixed, report);
        if (source !== undefined) result[name] = source;
      }
      return result;
    }),
  );

function problemWithName(name: string): string | undefined {
  if (isPlatformVariable(name)) return 'the platform sets this variable itself';
  if (isOwnVariable(name)) return 'evalsaga sets this variable itself';
  return variableName.test(name)
    ? undefined
    : 'is not a valid name of a variable: use letters, digits, `_`, `.` and `-`, and do not begin with a digit';
}

function readEnvValue(
  name: string,
  entry: unknown,
  unprefixed: Unprefixed,
  report: (message: string, hint?: string) => void,
): EnvSource | undefined {
  if (entry === null || entry === undefined) {
    report('the variable has no value', `set one, or take it from the host: ${name}: host:${name}`);
    return undefined;
  }
  if (!(entry instanceof Leaf)) {
    const secret = readReference(entry);
    if (secret !== undefined && looksLikeToken(secret.name)) {
      report(
        'expected the name of a secret, found what looks like a secret itself',
        `store it in the workspace and give its name here, or take it from the host: ${name}: host:${name}`,
      );
      return undefined;
    }
    if (secret === undefined)
      report(`expected a value or {value_from: {secret_name_ref: NAME}}, found ${describe(entry)}`);
    return secret === undefined ? undefined : { kind: 'secret', secret };
  }
  const { text } = entry;
  const prefix = /^(host|runtime|lit):/.exec(text)?.[1];
  const rest = prefix === undefined ? text : text.slice(prefix.length + 1);
  if (prefix === 'host' || prefix === 'runtime') {
    if (!variableName.test(rest)) {
      report(`expected the name of a variable after \`${prefix}:\`, found ${describe(entry)}`);
      return undefined;
    }
    return prefix === 'host'
      ? { kind: 'secret', secret: { kind: 'host', name: rest } }
      : { kind: 'runtime', name: rest };
  }
  return readLiteral(name, entry, rest, prefix === undefined && unprefixed === 'refused', report);
}

function readLiteral(
  name: string,
  entry: Leaf,
  value: string,
  needsPrefix: boolean,
  report: (message: string, hint?: string) => void,
): EnvSource | undefined {
  const { env } = entry.node;
  const secretSource = env?.names.find(isSecretName);
  const secret = isSecretName(name) || secretSource !== undefined;
  if (secret && env !== undefined) {
    const [only, second] = env.names;
    if (env.whole && only !== undefined && second === undefined)
      return { kind: 'secret', secret: { kind: 'host', name: only } };
    report(
      'a secret from the environment must be the whole value, not part of other text',
      `${name}: host:${secretSource ?? env.names[0] ?? name}`,
    );
    return undefined;
  }
  const looks = looksLikeToken(value) || holdsKey(name, value) || assignedKeys(value).length > 0;
  if (looks || looksLikeHostVariable(name, value)) {
    const from = looksLikeHostVariable(name, value) ? value : name;
    report(
      isSurelySecretName(name)
        ? 'a variable of this name holds a secret, and secrets do not belong in a config'
        : 'the value looks like a secret, and secrets do not belong in a config',
      `from a variable of this host: ${name}: host:${from}; from the workspace: ${name}: {value_from: {secret_name_ref: NAME}}`,
    );
    return undefined;
  }
  if (needsPrefix && env === undefined && typeof entry.value === 'string') {
    const hint =
      variableName.test(value) && value === value.toUpperCase()
        ? `host:${value} for the variable of this host, lit:${value} for the text`
        : `lit:${value}`;
    report('text needs a prefix here', `${name}: ${hint}`);
    return undefined;
  }
  return { kind: 'literal', value };
}

/** Whether the value names a variable of the host, `HF_TOKEN: MY_HF_TOKEN`, as in configs of version 0.1. As a literal it would be useless. */
const looksLikeHostVariable = (name: string, value: string): boolean =>
  isSurelySecretName(name) && /^[A-Z][A-Z0-9_]*_[A-Z0-9_]*$/.test(value) && !looksLikeToken(value);

/** Reads `{value_from: {secret_name_ref: X}}` or `{value_from: {token_name_ref: X}}`, which both name a secret of the workspace. */
function readReference(entry: unknown): SecretRef | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return undefined;
  const keys = Object.keys(entry);
  const from = (entry as RawMap)['value_from'];
  if (keys.length !== 1 || typeof from !== 'object' || from === null || from instanceof Leaf || Array.isArray(from))
    return undefined;
  const [entries, more] = Object.entries(from as RawMap);
  const [kind, name] = entries ?? [];
  if (more !== undefined || (kind !== 'secret_name_ref' && kind !== 'token_name_ref')) return undefined;
  return name instanceof Leaf && name.text !== '' ? { kind: 'workspace', name: name.text } : undefined;
}

/** A token that an endpoint accepts, always by reference. */
export const token = () =>
  accepting(
    { kind: 'token' },
    z.transform((value, context): SecretRef => readToken(value, context)),
  );

function readToken(value: unknown, context: Context): SecretRef {
  const hint = 'from a variable of this host: host:NAME; from the workspace: {value_from: {token_name_ref: NAME}}';
  if (value instanceof Leaf) {
    const host = /^host:([A-Za-z_][A-Za-z0-9._-]*)$/.exec(value.text)?.[1];
    if (host !== undefined) return { kind: 'host', name: host };
    const { env } = value.node;
    const [only] = env?.names ?? [];
    if (env?.whole === true && only !== undefined) return { kind: 'host', name: only };
    return refuse(context, 'a token must be a reference: a literal would end up in logs and histories', hint);
  }
  if (isPlainObject(value)) {
    const inner = (value as RawMap)['value'];
    if (Object.keys(value).length === 1 && inner instanceof Leaf) return readToken(inner, context);
    const reference = readReference(value);
    if (reference !== undefined && looksLikeToken(reference.name))
      return refuse(context, 'expected the name of a token, found what looks like a token itself', hint);
    if (reference !== undefined) return reference;
  }
  return refuse(context, `expected a token by reference, found ${describe(value)}`, hint);
}

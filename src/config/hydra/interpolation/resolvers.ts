/** The resolvers of `${name:arguments}`: those of OmegaConf that make sense in a file, and NeMo Evaluator's. */
import { nearestNames } from '../../../support/nearest';
import { isMissing, isNull } from '../../yaml/tree';
import type { ConfigNode, Path, ScalarNode } from '../../yaml/tree';
import { ResolutionFailure } from './failures';
import { GrammarFailure, parseElement } from './parse-interpolation';
import type { Element } from './parse-interpolation';

export interface ResolverScope {
  readonly env: Readonly<Record<string, string | undefined>>;
  find(path: Path): { node: ConfigNode; path: Path } | undefined;
  resolve(node: ConfigNode, path: Path): ConfigNode;
  element(element: Element, path: Path): ConfigNode;
  baseOf(up: number, path: Path): Path;
  /** Returns a value as it is written inside text. */
  textOf(node: ScalarNode): string;
}

interface Call {
  readonly name: string;
  readonly args: readonly ConfigNode[];
  readonly scope: ResolverScope;
  /** Path of the value that contains the interpolation. */
  readonly path: Path;
}

const resolvers: Readonly<
  Record<string, { readonly arity: readonly [number, number]; readonly run: (call: Call) => ConfigNode }>
> = {
  'oc.env': { arity: [1, 2], run: environment },
  'oc.decode': { arity: [1, 1], run: decode },
  'oc.create': { arity: [1, 1], run: create },
  'oc.select': { arity: [1, 2], run: (call) => select(call, { nullIsAbsent: false }) },
  'oc.deprecated': {
    arity: [1, 2],
    run: (call) => select({ ...call, args: call.args.slice(0, 1) }, { nullIsAbsent: false }),
  },
  'oc.dict.keys': { arity: [1, 1], run: (call) => dictionary(call, 'keys') },
  'oc.dict.values': { arity: [1, 1], run: (call) => dictionary(call, 'values') },
  select_not_null: { arity: [2, 2], run: (call) => select(call, { nullIsAbsent: true }) },
};

/** Calls a resolver. Throws `ResolutionFailure`. */
export function evaluateResolver(call: Call): ConfigNode {
  const resolver = Object.hasOwn(resolvers, call.name) ? resolvers[call.name] : undefined;
  if (resolver === undefined) {
    const near = nearestNames(call.name, Object.keys(resolvers));
    const hint = near.length > 0 ? `did you mean \`${near[0] ?? ''}\`?` : `known: ${Object.keys(resolvers).join(', ')}`;
    throw new ResolutionFailure(`there is no resolver \`${call.name}\``, hint);
  }
  const [least, most] = resolver.arity;
  if (call.args.length < least || call.args.length > most) {
    const wanted = least === most ? String(least) : `${least} to ${most}`;
    throw new ResolutionFailure(
      `\`${call.name}\` takes ${wanted} argument${wanted === '1' ? '' : 's'}, found ${call.args.length}`,
      'put a value that contains a comma in quotes',
    );
  }
  return resolver.run(call);
}

function environment({ args, scope }: Call): ConfigNode {
  const [nameNode, fallback] = args;
  const name = textOf(nameNode, 'oc.env');
  const value = Object.hasOwn(scope.env, name) ? scope.env[name] : undefined;
  if (value !== undefined)
    return { kind: 'scalar', value, verbatim: true, env: { names: [name], whole: true }, origin: {} };
  if (fallback === undefined) {
    throw new ResolutionFailure(
      `the environment variable ${name} is not set`,
      `set it, add it to .env, or give a default: \${oc.env:${name},VALUE}`,
    );
  }
  if (fallback.kind !== 'scalar') throw new ResolutionFailure('the default of `oc.env` must be a single value');
  if (fallback.value === null) return fallback;
  return {
    ...fallback,
    value: isMissing({ ...fallback, verbatim: false }) ? '???' : scope.textOf(fallback),
    float: false,
  };
}

function decode({ args, scope, path }: Call): ConfigNode {
  const [input] = args;
  if (isNull(input) && input !== undefined) return input;
  const text = textOf(input, 'oc.decode');
  const names = input?.kind === 'scalar' ? (input.env?.names ?? []) : [];
  try {
    const value = scope.element(parseElement(text), path);
    return value.kind === 'scalar' && names.length > 0 ? { ...value, env: { names, whole: false } } : value;
  } catch (error) {
    if (error instanceof GrammarFailure)
      throw new ResolutionFailure(`\`oc.decode\` cannot parse its argument: ${error.message}`);
    throw error;
  }
}

function create(call: Call): ConfigNode {
  const [input] = call.args;
  if (input === undefined || input.kind === 'scalar')
    throw new ResolutionFailure('`oc.create` takes a list or a mapping');
  return input;
}

function select({ args, scope, path, name }: Call, { nullIsAbsent }: { nullIsAbsent: boolean }): ConfigNode {
  const [keyNode, fallback] = args;
  const key = textOf(keyNode, name);
  const up = /^\.*/.exec(key)?.[0].length ?? 0;
  const keys = key
    .slice(up)
    .split(/[.[\]]+/)
    .filter((part) => part !== '');
  const found = scope.find([...scope.baseOf(up, path), ...keys]);
  const value = found === undefined ? undefined : scope.resolve(found.node, found.path);
  const absent = value === undefined || isMissing(value) || (nullIsAbsent && isNull(value));
  if (!absent) return value;
  return fallback ?? { kind: 'scalar', value: null, origin: {} };
}

function dictionary({ args, scope, name }: Call, part: 'keys' | 'values'): ConfigNode {
  const [input] = args;
  const found = input?.kind === 'scalar' ? scope.find(textOf(input, name).split('.')) : undefined;
  const node = found === undefined ? input : scope.resolve(found.node, found.path);
  if (node?.kind !== 'map') throw new ResolutionFailure(`\`${name}\` takes the key of a mapping`);
  const items =
    part === 'values'
      ? [...node.entries.values()]
      : [...node.entries.keys()].map((key): ScalarNode => ({ kind: 'scalar', value: key, verbatim: true, origin: {} }));
  return { kind: 'list', items, origin: {} };
}

function textOf(node: ConfigNode | undefined, resolver: string): string {
  if (node?.kind === 'scalar' && typeof node.value === 'string') return node.value;
  throw new ResolutionFailure(`\`${resolver}\` takes text`, 'put the argument in quotes');
}

/** Resolves the interpolations (`${…}`) of a configuration, each once and when first needed. */
import { placeOf } from '../../yaml/problems';
import type { ConfigProblem } from '../../yaml/problems';
import { pythonText, writtenText } from '../python-text';
import { childOf, dotted, emptyMap, expandedSize, isMissing, isNull, placeOfNode } from '../../yaml/tree';
import type { ConfigNode, Path, ScalarNode } from '../../yaml/tree';
import { nearestNames } from '../../../support/nearest';
import { GrammarFailure, parseText } from './parse-interpolation';
import type { Element, Interpolation, TextPart } from './parse-interpolation';
import { ChainFailure, isReportedElsewhere, ResolutionFailure } from './failures';
import { finalValue, isInterpolated } from './nodes';
import { pathsNamedIn } from './references';
import { evaluateResolver } from './resolvers';
import type { ResolverScope } from './resolvers';

/** Limit on references to references. */
const maxChain = 200;

/** Limit on the nodes of the resolved config. */
const maxNodes = 500_000;

/** Limit on the length of a resolved text, in characters. */
const maxText = 1024 * 1024;

export interface Resolution {
  readonly root: ConfigNode;
  readonly problems: readonly ConfigProblem[];
  /** Dotted paths whose value could not be resolved, which has been reported already. */
  readonly failedPaths: ReadonlySet<string>;
}

/**
 * How a number is written inside text. OmegaConf writes it as Python does: `1.50` becomes `1.5`, and a commit id such as
 * `695e0514` becomes `inf`. Runs keep numbers as written; `python` serves comparisons with OmegaConf, and its own comparisons.
 */
export type NumbersInText = 'as written' | 'python';

/** Resolves all interpolations of a configuration. Collects problems instead of throwing. */
export function resolveInterpolations(
  root: ConfigNode,
  env: Readonly<Record<string, string | undefined>>,
  numbers: NumbersInText = 'python',
): Resolution {
  return new Interpolator(root, env, numbers).resolveAll();
}

/** Resolves one value; `undefined` if it is absent or cannot be resolved. */
export function resolveOne(
  root: ConfigNode,
  path: Path,
  env: Readonly<Record<string, string | undefined>>,
  numbers: NumbersInText = 'python',
): ConfigNode | undefined {
  return new Interpolator(root, env, numbers).tryResolveAt(path);
}

/**
 * Returns the mapping or list that the interpolation at `path` refers to as a whole, with its own interpolations still unresolved, as
 * OmegaConf takes it when something is merged over the interpolation; `undefined` if there is none (yet).
 */
export function containerAt(
  root: ConfigNode,
  path: Path,
  env: Readonly<Record<string, string | undefined>>,
): Exclude<ConfigNode, ScalarNode> | undefined {
  return new Interpolator(root, env, 'python').containerAt(path);
}

class Interpolator implements ResolverScope {
  private readonly problems: ConfigProblem[] = [];
  private readonly broken = new Set<string>();
  private readonly memo = new Map<string, ConfigNode>();
  private readonly chain: string[] = [];

  constructor(
    private readonly root: ConfigNode,
    readonly env: Readonly<Record<string, string | undefined>>,
    private readonly numbers: NumbersInText,
  ) {}

  textOf(node: ScalarNode): string {
    return this.numbers === 'as written' ? writtenText(node) : pythonText(node);
  }

  resolveAll(): Resolution {
    const root = this.collect(this.root, []);
    if (expandedSize(root) > maxNodes) {
      const message = `the config grows to more than ${maxNodes} values through its interpolations`;
      return {
        root: emptyMap({}),
        problems: [{ ...placeOf(this.root.origin), path: '', message }],
        failedPaths: this.broken,
      };
    }
    return { root, problems: this.problems, failedPaths: this.broken };
  }

  tryResolveAt(path: Path): ConfigNode | undefined {
    try {
      const node = this.find(path);
      return node === undefined ? undefined : this.resolveNode(node.node, node.path);
    } catch (error) {
      if (error instanceof ResolutionFailure) return undefined;
      throw error;
    }
  }

  containerAt(path: Path): Exclude<ConfigNode, ScalarNode> | undefined {
    try {
      let found = this.find(path);
      const named: Path[] = [];
      for (let links = 0; found !== undefined && links < maxChain; links += 1) {
        const { node } = found;
        if (node.kind !== 'scalar') return named.length === 0 ? node : { ...node, copyOf: named };
        if (!isInterpolated(node)) return undefined;
        named.push(...pathsNamedIn(String(node.value), found.path));
        const [part, more] = parseText(String(node.value));
        if (part === undefined || more !== undefined || part.kind === 'text') return undefined;
        if (part.kind === 'node') found = this.find(this.keysOf(part, found.path));
        // OmegaConf does not take what it has decoded for a mapping here.
        else if (part.name.filter((piece) => typeof piece === 'string').join('.') === 'oc.decode') return undefined;
        else found = { node: this.interpolation(part, found.path), path: found.path };
      }
      return undefined;
    } catch (error) {
      if (error instanceof ResolutionFailure || error instanceof GrammarFailure) return undefined;
      throw error;
    }
  }

  /** Like `resolveNode`, but reports failures and continues. */
  private collect(node: ConfigNode, path: Path): ConfigNode {
    if (node.kind === 'map')
      return {
        ...node,
        entries: new Map([...node.entries].map(([key, child]) => [key, this.collect(child, [...path, key])])),
      };
    if (node.kind === 'list')
      return { ...node, items: node.items.map((child, index) => this.collect(child, [...path, index])) };
    try {
      return this.resolveNode(node, path);
    } catch (error) {
      if (!(error instanceof ResolutionFailure)) throw error;
      this.chain.length = 0;
      this.broken.add(dotted(path));
      // Reported at the value at fault, which this walk reaches as well.
      if (isReportedElsewhere(error, dotted(path))) return { ...node, value: null };
      const hint = error.hint === undefined ? {} : { hint: error.hint };
      this.problems.push({ ...placeOf(placeOfNode(node)), path: dotted(path), message: error.message, ...hint });
      return { ...node, value: null };
    }
  }

  private resolveNode(node: ConfigNode, path: Path): ConfigNode {
    const key = dotted(path);
    const known = this.memo.get(key);
    if (known !== undefined) return known;
    if (!isInterpolated(node) && node.kind === 'scalar') return node;
    const result = this.withCycleCheck(key, () => {
      if (node.kind === 'map')
        return {
          ...node,
          entries: new Map([...node.entries].map(([name, child]) => [name, this.resolveNode(child, [...path, name])])),
        };
      if (node.kind === 'list')
        return { ...node, items: node.items.map((child, index) => this.resolveNode(child, [...path, index])) };
      return this.withFailurePath(key, () => this.resolveText(node, path));
    });
    this.memo.set(key, result);
    return result;
  }

  /** Records in a failure which value it comes from, except in a cycle. */
  private withFailurePath<T>(key: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof ResolutionFailure && !(error instanceof ChainFailure)) error.failedPath ??= key;
      throw error;
    }
  }

  private withCycleCheck<T>(key: string, work: () => T): T {
    if (this.chain.includes(key)) {
      const from = this.chain.indexOf(key);
      const members = this.chain.slice(from);
      throw new ChainFailure(`the interpolation refers to itself: ${[...members, key].join(' → ')}`, members);
    }
    if (this.chain.length >= maxChain) throw new ChainFailure(`more than ${maxChain} references in a chain`);
    this.chain.push(key);
    const result = work();
    this.chain.pop();
    return result;
  }

  private resolveText(node: ScalarNode, path: Path): ConfigNode {
    let parts: readonly TextPart[];
    try {
      parts = parseText(String(node.value));
    } catch (error) {
      if (!(error instanceof GrammarFailure)) throw error;
      throw new ResolutionFailure(`not a valid interpolation: ${error.message}`, 'write `\\${` for a literal `${`');
    }
    return this.combine(parts, path, node);
  }

  /** An interpolation that stands alone keeps its type; several parts become text. */
  private combine(parts: readonly TextPart[], path: Path, at: ScalarNode): ConfigNode {
    const place = { origin: at.origin, ...(at.keyOrigin === undefined ? {} : { keyOrigin: at.keyOrigin }) };
    const [first, second] = parts;
    if (first !== undefined && second === undefined && first.kind !== 'text')
      return { ...finalValue(this.interpolation(first, path)), ...place };
    const names = new Set<string>();
    let text = '';
    for (const part of parts) {
      if (part.kind === 'text') text += part.text;
      else {
        const value = this.interpolation(part, path);
        if (isMissing(value)) return { kind: 'scalar', value: '???', ...place };
        if (value.kind !== 'scalar')
          throw new ResolutionFailure(`a ${value.kind === 'map' ? 'mapping' : 'list'} cannot be inserted into text`);
        for (const name of value.env?.names ?? []) names.add(name);
        text += this.textOf(value);
      }
      if (text.length > maxText) throw new ResolutionFailure(`the resolved text exceeds ${maxText} characters`);
    }
    const env = names.size === 0 ? {} : { env: { names: [...names], whole: false } };
    return { kind: 'scalar', value: text, verbatim: true, ...env, ...place };
  }

  private interpolation(part: Interpolation, path: Path): ConfigNode {
    if (part.kind === 'node') return this.reference(part, path);
    const name = part.name.map((piece) => this.keyText(piece, path)).join('.');
    return evaluateResolver({ name, args: part.args.map((element) => this.element(element, path)), scope: this, path });
  }

  /** Returns the path that a reference names. */
  private keysOf(part: Extract<Interpolation, { kind: 'node' }>, path: Path): Path {
    return [...this.baseOf(part.up, path), ...part.keys.map((key) => this.keyText(key, path))];
  }

  private reference(part: Extract<Interpolation, { kind: 'node' }>, path: Path): ConfigNode {
    const keys = this.keysOf(part, path);
    const found = this.find(keys);
    if (found === undefined) {
      const parent = this.find(keys.slice(0, -1))?.node;
      const near = parent?.kind === 'map' ? nearestNames(String(keys.at(-1) ?? ''), parent.entries.keys()) : [];
      const hint = near.length === 0 ? undefined : `did you mean ${near.map((name) => `\`${name}\``).join(' or ')}?`;
      const written = keys.slice(this.baseOf(part.up, path).length).join('.');
      throw new ResolutionFailure(
        `\`\${${'.'.repeat(part.up)}${written}}\` refers to a key that is not in the config`,
        hint,
      );
    }
    return this.resolveNode(found.node, found.path);
  }

  baseOf(up: number, path: Path): Path {
    if (up === 0) return [];
    if (up > path.length) throw new ResolutionFailure('the relative interpolation points above the top of the config');
    return path.slice(0, path.length - up);
  }

  /** Finds the node at `path`, following interpolations. The path returned is where the node really is. */
  find(path: Path): { node: ConfigNode; path: Path } | undefined {
    let current: { node: ConfigNode; path: Path } = { node: this.root, path: [] };
    for (const key of path) {
      const holder = isInterpolated(current.node) ? this.resolveNode(current.node, current.path) : current.node;
      const child = childOf(holder, key);
      if (child === undefined) return undefined;
      current = { node: child, path: [...current.path, key] };
    }
    return current;
  }

  resolve(node: ConfigNode, path: Path): ConfigNode {
    return this.resolveNode(node, path);
  }

  element(element: Element, path: Path): ConfigNode {
    const origin = {};
    switch (element.kind) {
      case 'scalar':
        return { ...element, verbatim: true, origin };
      case 'parts':
        return this.combine(element.parts, path, { kind: 'scalar', value: '', origin });
      case 'list':
        return { kind: 'list', items: element.items.map((item) => this.element(item, path)), origin };
      case 'map':
        return {
          kind: 'map',
          entries: new Map(element.entries.map(([key, value]) => [key, this.element(value, path)])),
          origin,
        };
    }
  }

  private keyText(piece: string | Interpolation, path: Path): string {
    if (typeof piece === 'string') return piece;
    const value = this.interpolation(piece, path);
    if (value.kind === 'scalar' && typeof value.value === 'string') return value.value;
    const found = isNull(value) ? 'null' : value.kind === 'scalar' ? pythonText(value) : `a ${value.kind}`;
    throw new ResolutionFailure(`an interpolation used as a key must resolve to text, found ${found}`);
  }
}

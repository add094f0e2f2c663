/** Reads YAML as OmegaConf does, into nodes that know their line and column. */
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import type { Alias, Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { unclosedBracket } from './brackets';
import { ConfigError } from './problems';
import type { ConfigProblem, Origin } from './problems';
import { emptyMap, expandedSize } from './tree';
import type { ConfigNode, MapNode, ScalarNode } from './tree';
import { resolvePlain } from './yaml-scalars';

/** Limit on the size of a file, in bytes. */
const maxFileBytes = 4 * 1024 * 1024;

/** Limit on the nodes of a file with aliases expanded: ten times what 1,500 full tasks need. */
const maxNodes = 500_000;

/** Limit on the nesting of mappings and lists. */
const maxDepth = 200;

export interface YamlSource {
  readonly file: string;
  readonly preset?: boolean;
}

/** Reads a document that must be a mapping; an empty document is an empty mapping. Throws `ConfigError`. */
export function readYamlMap(text: string, source: YamlSource): MapNode {
  const root = new YamlReader(source).read(text);
  if (root.kind === 'map') return root;
  const found = root.kind === 'list' ? 'a list' : 'a single value';
  throw new ConfigError([
    { file: source.file, line: 1, column: 1, path: '', message: `expected a mapping of keys, found ${found}` },
  ]);
}

/** Reads one YAML value, such as that of an override by task name. Throws `ConfigError`. */
export const readYamlValue = (text: string, origin: Origin): ConfigNode =>
  new YamlReader({ file: '' }, origin).read(text);

class YamlReader {
  private readonly lines = new LineCounter();
  private readonly anchors = new Map<string, ConfigNode>();
  private readonly open = new Set<string>();
  private readonly problems: ConfigProblem[] = [];

  constructor(
    private readonly source: YamlSource,
    private readonly fixedOrigin?: Origin,
  ) {}

  read(text: string): ConfigNode {
    if (text.length > maxFileBytes) this.fail(0, `the file is larger than ${maxFileBytes / 1024 / 1024} MiB`);
    const plain = text.replace(/^\ufeff/, '');
    const documents = parseAllDocuments(plain, {
      version: '1.1',
      schema: 'failsafe',
      lineCounter: this.lines,
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
    });
    if (!Array.isArray(documents)) return emptyMap(this.originAt(0));
    const [first] = documents.flatMap((document) => document.errors).sort((a, b) => a.pos[0] - b.pos[0]);
    if (first !== undefined) {
      if (/^Flow /.test(first.message)) this.refuseOpenBracket(plain);
      this.refuseTabs(plain, this.lines.linePos(first.pos[0]).line);
    }
    for (const document of documents) {
      for (const error of document.errors) this.report(error.pos[0], messageFor(error));
    }
    if (documents.length > 1)
      this.report(documents[1]?.range[0] ?? 0, 'expected one YAML document, found several (`---`)');
    this.throwIfAny();
    const contents = documents[0]?.contents ?? null;
    const root = contents === null ? emptyMap(this.originAt(0)) : this.node(contents, 0);
    this.throwIfAny();
    if (expandedSize(root) > maxNodes)
      this.fail(0, `the file expands to more than ${maxNodes} values through its aliases`);
    const empty = root.kind === 'scalar' && root.value === null && this.fixedOrigin === undefined;
    return empty ? emptyMap(this.originAt(0)) : root;
  }

  private node(node: Node, depth: number): ConfigNode {
    if (depth > maxDepth) this.fail(startOf(node), `more than ${maxDepth} levels of nesting`);
    if (isAlias(node)) return this.alias(node);
    const name = 'anchor' in node && typeof node.anchor === 'string' ? node.anchor : undefined;
    if (name !== undefined) this.open.add(name);
    const result = this.unanchored(node, depth);
    if (name !== undefined) {
      this.open.delete(name);
      this.anchors.set(name, result);
    }
    return result;
  }

  private unanchored(node: Node, depth: number): ConfigNode {
    if (isMap(node)) return this.map(node, depth);
    if (isSeq(node)) return this.list(node, depth);
    if (isScalar(node)) return this.scalar(node);
    return this.fail(startOf(node), 'unsupported YAML');
  }

  private alias(node: Alias): ConfigNode {
    if (this.open.has(node.source))
      this.fail(startOf(node), `the alias *${node.source} refers to a value that contains it`);
    const target = this.anchors.get(node.source);
    return target ?? this.fail(startOf(node), `the alias *${node.source} has no anchor &${node.source} before it`);
  }

  private list(node: YAMLSeq, depth: number): ConfigNode {
    this.checkTag(node, ['tag:yaml.org,2002:seq']);
    const items = node.items.map((item) => (item === null ? this.absent(node) : this.node(item as Node, depth + 1)));
    return { kind: 'list', items, origin: this.originAt(startOf(node)) };
  }

  private map(node: YAMLMap, depth: number): ConfigNode {
    this.checkTag(node, ['tag:yaml.org,2002:map']);
    const own = new Map<string, ConfigNode>();
    const merged = new Map<string, ConfigNode>();
    for (const pair of node.items) {
      if (!isPair(pair)) continue;
      const value = pair.value === null ? this.absent(pair.key as Node) : this.node(pair.value as Node, depth + 1);
      if (isMergeKey(pair)) this.merge(merged, value, startOf(pair.key as Node));
      else this.addEntry(own, pair, value);
    }
    const entries = merged.size === 0 ? own : new Map([...merged, ...own]);
    return { kind: 'map', entries, origin: this.originAt(startOf(node)) };
  }

  private addEntry(own: Map<string, ConfigNode>, pair: Pair, value: ConfigNode): void {
    const at = startOf(pair.key as Node);
    const key = this.key(pair.key as Node);
    const first = own.get(key)?.keyOrigin;
    if (first !== undefined)
      this.report(at, `the key \`${key}\` was already given on line ${first.line ?? '?'}: remove one of the two`, key);
    own.set(key, { ...value, keyOrigin: this.originAt(at) });
  }

  private merge(into: Map<string, ConfigNode>, value: ConfigNode, at: number): void {
    // As in PyYAML, the first mapping that has a key wins, both in `<<: [a, b]` and among several `<<`.
    const sources = value.kind === 'list' ? value.items : [value];
    for (const source of sources) {
      if (source.kind !== 'map') this.fail(at, 'a merge key `<<` takes a mapping or a list of mappings');
      for (const [key, child] of source.entries) if (!into.has(key)) into.set(key, child);
    }
  }

  private key(node: Node | null): string {
    if (node !== null && isAlias(node)) {
      const target = this.alias(node);
      if (target.kind === 'scalar' && typeof target.value === 'string') return target.value;
    }
    if (node === null || !isScalar(node))
      return this.fail(node === null ? 0 : startOf(node), 'a key must be plain text');
    const { value, text } = this.scalar(node);
    if (value === '__proto__') return this.fail(startOf(node), '`__proto__` is not allowed as a key');
    if (typeof value === 'string') return value;
    // A key that reads as a number is kept as written: `695e0514` must not become infinity.
    if (typeof value === 'number' || typeof value === 'bigint') return text ?? String(value);
    return this.fail(
      startOf(node),
      `the key \`${text ?? 'null'}\` is read as ${value === null ? 'null' : 'a boolean'} in YAML`,
      `put it in quotes: '${text ?? ''}'`,
    );
  }

  private scalar(node: Scalar<unknown>): ScalarNode {
    const origin = this.originAt(startOf(node));
    const text = typeof node.value === 'string' ? node.value : '';
    const tag = node.tag ?? '';
    if (tag === 'tag:yaml.org,2002:str' || tag === '!') return { kind: 'scalar', value: text, origin };
    const coreTags = ['int', 'float', 'bool', 'null'].map((name) => `tag:yaml.org,2002:${name}`);
    if (tag !== '' && !coreTags.includes(tag))
      return this.fail(startOf(node), `the YAML tag \`${tag}\` is not supported`);
    if (node.type !== 'PLAIN' && tag === '') return { kind: 'scalar', value: text, origin };
    if (text === '=' && tag === '')
      this.report(startOf(node), 'a lone `=` is not a value in YAML 1.1: put it in quotes');
    const { value, float, invalid } = resolvePlain(text);
    if (invalid === true) this.report(startOf(node), `\`${text}\` is not a number: put it in quotes`);
    if (typeof value === 'string') return { kind: 'scalar', value, origin };
    const isFloat = float === true || (tag.endsWith(':float') && typeof value === 'number');
    return { kind: 'scalar', value, text, ...(isFloat ? { float: true } : {}), origin };
  }

  private absent(near: Node): ScalarNode {
    return { kind: 'scalar', value: null, text: '', origin: this.originAt(startOf(near)) };
  }

  private checkTag(node: Node & { tag?: string }, allowed: readonly string[]): void {
    if (node.tag === undefined || node.tag === '!' || allowed.includes(node.tag)) return;
    this.fail(startOf(node), `the YAML tag \`${node.tag}\` is not supported`);
  }

  /** Reports a bracket that is not closed, for which the parser blames the lines that follow. */
  private refuseOpenBracket(text: string): void {
    const at = unclosedBracket(text);
    if (at === undefined) return;
    const bracket = text[at] ?? '';
    this.fail(at, `the bracket \`${bracket}\` is not closed`, `add \`${bracket === '[' ? ']' : '}'}\` where it ends`);
  }

  /** Reports a tab used as indentation, for which the parser's own message is misleading. */
  private refuseTabs(text: string, faulty: number): void {
    for (const [index, line] of text.split('\n').entries()) {
      // The parser reports it on that line or the one before.
      if (Math.abs(index + 1 - faulty) <= 1 && /^ *\t[\t ]*[^\s#]/.test(line)) {
        const place = this.fixedOrigin ?? { ...this.fileOrigin(), line: index + 1, column: line.indexOf('\t') + 1 };
        throw new ConfigError([
          {
            ...place,
            path: '',
            message: 'a tab is used for indentation: YAML allows only spaces',
            hint: 'replace the tab with spaces',
          },
        ]);
      }
    }
  }

  private fileOrigin(): Origin {
    return { file: this.source.file, ...(this.source.preset === true ? { preset: true } : {}) };
  }

  private originAt(offset: number): Origin {
    if (this.fixedOrigin !== undefined) return this.fixedOrigin;
    const { line, col } = this.lines.linePos(offset);
    return { ...this.fileOrigin(), line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  private report(offset: number, message: string, path = '', hint?: string): void {
    const { file, line, column, override } = this.originAt(offset);
    this.problems.push({
      ...(override === undefined
        ? {
            ...(file === undefined ? {} : { file }),
            ...(line === undefined ? {} : { line }),
            ...(column === undefined ? {} : { column }),
          }
        : { override }),
      path,
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  private fail(offset: number, message: string, hint?: string): never {
    this.report(offset, message, '', hint);
    throw new ConfigError(this.problems);
  }

  private throwIfAny(): void {
    if (this.problems.length > 0) throw new ConfigError(this.problems);
  }
}

/** Returns the parser's message, or a clearer one where that is misleading. */
const messageFor = ({ code, message }: { readonly code: string; readonly message: string }): string =>
  code === 'MULTILINE_IMPLICIT_KEY' ? 'a key without its `:`' : message.replaceAll(/\s+/g, ' ');

const startOf = (node: Node): number => node.range?.[0] ?? 0;

const isMergeKey = (pair: Pair): boolean => isScalar(pair.key) && pair.key.value === '<<' && pair.key.type === 'PLAIN';

/** Fills what auxiliary deployments have into a task's run config: their URLs and names, and the variables with their keys. Pure. */
import { isPlainObject } from '../../support/plain-object';
import { kindOfField, referencesInText, withReferences } from '../auxiliary-references';
import type { AuxiliaryReference } from '../auxiliary-references';
import { Leaf } from '../schema/leaf';
import type { RawMap, RawValue } from '../schema/leaf';

export interface Filling {
  /** Text for a reference; `undefined`: it stays. */
  readonly textFor: (reference: AuxiliaryReference) => string | undefined;
  /** The variable in which the job has the key, if the config names no other one; `undefined`: there is no key. */
  readonly keyFor: (name: string) => string | undefined;
}

export interface Filled {
  readonly value: RawValue;
  /** By auxiliary deployment: the variables in which the evaluator looks for its key. */
  readonly keys: ReadonlyMap<string, ReadonlySet<string>>;
}

/** `defaults`: the container's own values at the same places, as far as they are known. */
export function fillReferences(value: RawValue, defaults: unknown, filling: Filling): Filled {
  const filler = new Filler(filling);
  return { value: filler.fill(value, defaults), keys: filler.keys };
}

class Filler {
  readonly keys = new Map<string, Set<string>>();

  constructor(private readonly filling: Filling) {}

  fill(value: RawValue, defaults: unknown): RawValue {
    if (value === null) return value;
    if (value instanceof Leaf) return this.leaf(value);
    if (Array.isArray(value)) return (value as readonly RawValue[]).map((item) => this.fill(item, undefined));
    return this.map(value as RawMap, isPlainObject(defaults) ? defaults : undefined);
  }

  private leaf(leaf: Leaf): Leaf {
    if (typeof leaf.value !== 'string') return leaf;
    const text = withReferences(leaf.value, this.filling.textFor);
    return text === leaf.value ? leaf : finalLeaf(text);
  }

  private map(map: RawMap, defaults: Readonly<Record<string, unknown>> | undefined): RawMap {
    const filled: Record<string, RawValue> = {};
    for (const [key, value] of Object.entries(map)) filled[key] = this.fill(value, defaults?.[key]);
    for (const [key, value] of Object.entries(map)) {
      const name = value instanceof Leaf && typeof value.value === 'string' ? servedIn(value.value) : undefined;
      const variable = name === undefined ? undefined : this.filling.keyFor(name);
      if (name === undefined || variable === undefined) continue;
      const place = keyPlace(key, map, defaults);
      if (place.variable === undefined && place.key !== undefined) filled[place.key] = finalLeaf(variable);
      this.keys.set(name, (this.keys.get(name) ?? new Set()).add(place.variable ?? variable));
    }
    return filled;
  }
}

const finalLeaf = (value: string): Leaf => new Leaf({ kind: 'scalar', value, verbatim: true, origin: {} });

/** Returns the auxiliary deployment whose URL is in a text. */
const servedIn = (text: string): string | undefined =>
  referencesInText(text).find(({ field }) => field === 'base_url' || kindOfField(field) !== undefined)?.name;

const isVariableName = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_]{2,}$/.test(value);

/** Finds the key beside a URL that names the variable with its API key, as written or by default; else where to write one. */
function keyPlace(
  urlKey: string,
  map: RawMap,
  defaults: Readonly<Record<string, unknown>> | undefined,
): { readonly variable?: string; readonly key?: string } {
  const stem = urlKey.replace(/_?(?:base_)?ur[il]$|_?(?:server_)?address$/, '');
  const names = ['api_key', 'api_key_name'];
  const candidates = stem === '' || stem === urlKey ? names : [...names.map((name) => `${stem}_${name}`), ...names];
  for (const key of candidates) {
    const written = map[key];
    if (written instanceof Leaf && isVariableName(written.value)) return { variable: written.value };
    // Null means that no key is sent, which the endpoint would refuse.
    if (written !== null && isVariableName(defaults?.[key])) return { variable: defaults[key] };
  }
  if (defaults === undefined) return { key: candidates[0] ?? 'api_key' };
  const known = candidates.find((key) => Object.hasOwn(defaults, key) || Object.hasOwn(map, key));
  return known === undefined ? {} : { key: known };
}

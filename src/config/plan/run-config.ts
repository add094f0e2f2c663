/** Makes the evaluator's run config: the user's, with what the run knows added. Pure. */
import { kindOfEndpoint } from '../catalogue/choose-task';
import { Leaf, toPlain } from '../schema/leaf';
import type { RawMap, RawValue } from '../schema/leaf';
import { secondsOf } from '../schema/scalar-fields';
import { readExistingUrl, requestUrl } from './existing-url';
import { writeYaml } from '../yaml/yaml-writer';
import type { Writable } from '../yaml/yaml-writer';

export interface RunConfigRequest {
  /** `evaluation.nemo_evaluator_config`, then the task's own, which wins key by key. */
  readonly common: RawMap;
  readonly own: RawMap;
  readonly evaluationType: string;
  readonly model: string;
  readonly endpointType: string;
  readonly apiKeyName: string | null;
  /** The request URL, if it contains a secret and so must not be an argument of a process. The user's own URL wins. */
  readonly url: string | null;
  /** Parameters that the harness needs; the user's win. */
  readonly extra: Readonly<Record<string, string>>;
  /** Fills in what the config refers to and the run knows. */
  readonly fill: (merged: RawValue) => RawValue;
}

export interface RunConfig {
  readonly yaml: string;
  /** Whether it contains a URL, which wins over the run's. */
  readonly ownUrl: boolean;
}

export function runConfig(request: RunConfigRequest): RunConfig {
  const user = mergeRaw(request.common, request.own) as RawMap;
  const known: Record<string, RawValue> = {
    config: {
      type: leaf(request.evaluationType),
      ...(Object.keys(request.extra).length === 0 ? {} : { params: { extra: leaves(request.extra) } }),
    },
    target: {
      api_endpoint: {
        model_id: leaf(request.model),
        type: leaf(request.endpointType),
        ...(request.url === null ? {} : { url: leaf(request.url) }),
        ...(request.apiKeyName === null ? {} : { api_key_name: leaf(request.apiKeyName) }),
      },
    },
  };
  const merged = withRequestUrl(withSeconds(request.fill(mergeRaw(known, withoutNulls(user)))));
  return {
    yaml: writeYaml(toWritable(merged)),
    ownUrl: valueAt(merged, ['target', 'api_endpoint', 'url']) instanceof Leaf,
  };
}

/** Returns the user's config of a task: that of all tasks, with its own over it. */
export const mergedUserConfig = (common: RawMap, own: RawMap): RawValue => mergeRaw(common, own);

/** Returns a text of the merged user config, e.g. `target.api_endpoint.api_key_name`. */
export function userText(common: RawMap, own: RawMap, path: readonly string[]): string | undefined {
  const value = valueAt(mergeRaw(common, own), path);
  return value instanceof Leaf ? value.text : undefined;
}

/** Returns a part of the merged user config as plain JSON; `undefined` if it is absent. */
export function userValue(common: RawMap, own: RawMap, path: readonly string[]): unknown {
  const value = valueAt(mergeRaw(common, own), path);
  return value === undefined ? undefined : toPlain(value);
}

const leaf = (value: string): Leaf => new Leaf({ kind: 'scalar', value, verbatim: true, origin: {} });

const leaves = (values: Readonly<Record<string, string>>): RawMap =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, leaf(value)]));

const isMap = (value: RawValue | undefined): value is RawMap =>
  typeof value === 'object' && value !== null && !(value instanceof Leaf) && !Array.isArray(value);

/** Merges mappings key by key; everything else is replaced. */
function mergeRaw(base: RawValue, over: RawValue): RawValue {
  if (!isMap(base) || !isMap(over)) return over;
  const result: Record<string, RawValue> = { ...base };
  for (const [key, value] of Object.entries(over))
    result[key] = Object.hasOwn(base, key) ? mergeRaw(base[key] ?? null, value) : value;
  return result;
}

/** Removes nulls from `target` and `config`, where they mean "not set". Below `params` null is a value. */
function withoutNulls(user: RawMap): RawMap {
  const strip = (map: RawMap): RawMap => Object.fromEntries(Object.entries(map).filter(([, value]) => value !== null));
  const stripped: Record<string, RawValue> = { ...strip(user) };
  for (const [key, value] of Object.entries(stripped)) {
    if (!isMap(value)) continue;
    const inner = strip(value);
    const endpoint = inner['api_endpoint'];
    stripped[key] = key === 'target' && isMap(endpoint) ? { ...inner, api_endpoint: strip(endpoint) } : inner;
  }
  return stripped;
}

function valueAt(root: RawValue, path: readonly string[]): RawValue | undefined {
  return path.reduce<RawValue | undefined>(
    (value, key) => (isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    root,
  );
}

/** Converts durations to seconds: the evaluator does not understand `5m`. */
function withSeconds(merged: RawValue): RawValue {
  const timeout = valueAt(merged, ['config', 'params', 'request_timeout']);
  const seconds = timeout instanceof Leaf && typeof timeout.value === 'string' ? secondsOf(timeout) : undefined;
  if (seconds === undefined) return merged;
  const written = new Leaf({ kind: 'scalar', value: Math.ceil(seconds), origin: {} });
  return mergeRaw(merged, { config: { params: { request_timeout: written } } });
}

/** Completes a URL of the user's that is a base URL: the evaluator sends its requests to exactly this path. */
function withRequestUrl(merged: RawValue): RawValue {
  const url = valueAt(merged, ['target', 'api_endpoint', 'url']);
  const type = valueAt(merged, ['target', 'api_endpoint', 'type']);
  const existing = url instanceof Leaf ? readExistingUrl(url.text) : undefined;
  if (existing?.kind !== 'base' || !(type instanceof Leaf)) return merged;
  const whole = requestUrl(existing, kindOfEndpoint(type.text.replace(/_logprob$/, '')));
  return mergeRaw(merged, { target: { api_endpoint: { url: leaf(whole) } } });
}

function toWritable(raw: RawValue): Writable {
  if (raw === null) return { kind: 'scalar', value: null };
  if (raw instanceof Leaf) return raw.node;
  if (Array.isArray(raw)) return { kind: 'list', items: (raw as readonly RawValue[]).map(toWritable) };
  return {
    kind: 'map',
    entries: Object.entries(raw as RawMap).map(([key, value]) => [key, toWritable(value)] as const),
  };
}

/** The harnesses and tasks of the evaluation images, read when first needed. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { nearestNames } from '../../support/nearest';

export interface CatalogueHarness {
  readonly name: string;
  readonly title: string;
  readonly url: string;
  readonly image: string;
  /** Digest of the image the index was made from. */
  readonly digest: string;
  /** `multiarch`, `amd` or `arm`. */
  readonly arch: string;
  /** Its package on the public index, if there is one. */
  readonly package?: string;
}

export interface CatalogueTask {
  readonly name: string;
  readonly harness: string;
  /** Kinds of endpoint it can use: chat, completions, embedding, vlm. */
  readonly endpoints: readonly string[];
  /** Capabilities that the endpoint must have besides, e.g. `logprobs`. */
  readonly capabilities?: readonly string[];
  /** Default parameters. */
  readonly params?: Readonly<Record<string, unknown>>;
  readonly stream?: boolean;
  /** Variables the task reads: keys of judges, HF_TOKEN for gated data. */
  readonly variables?: readonly string[];
  /** Of a retired task: the last image that has it, and the launcher's last release that listed it. */
  readonly image?: string;
  readonly lastRelease?: string;
}

interface Catalogue {
  readonly release: string;
  readonly harnesses: readonly CatalogueHarness[];
  readonly tasks: readonly CatalogueTask[];
}

let loaded:
  { data: Catalogue; byName: Map<string, CatalogueTask[]>; harnesses: Map<string, CatalogueHarness> } | undefined;

function catalogue() {
  if (loaded !== undefined) return loaded;
  const data = JSON.parse(readFileSync(path.join(__dirname, 'catalogue.json'), 'utf8')) as Catalogue;
  const byName = new Map<string, CatalogueTask[]>();
  for (const task of data.tasks) {
    for (const key of [task.name, `${task.harness}.${task.name}`])
      byName.set(key.toLowerCase(), [...(byName.get(key.toLowerCase()) ?? []), task]);
  }
  loaded = { data, byName, harnesses: new Map(data.harnesses.map((harness) => [harness.name, harness])) };
  return loaded;
}

let retired: readonly CatalogueTask[] | undefined;

/**
 * Returns the task `task` or `harness.task` that earlier releases of NeMo Evaluator Launcher listed and today's images lack;
 * `undefined` if there is none. It has an `image`.
 */
export function retiredTask(name: string): CatalogueTask | undefined {
  retired ??= JSON.parse(readFileSync(path.join(__dirname, 'retired-tasks.json'), 'utf8')) as CatalogueTask[];
  return retired.find((task) => [task.name, `${task.harness}.${task.name}`].includes(name));
}

/** Returns all tasks, sorted by harness and name. */
export const listTasks = (): readonly CatalogueTask[] => catalogue().data.tasks;

/** Returns all harnesses, sorted by name. */
export const listHarnesses = (): readonly CatalogueHarness[] => catalogue().data.harnesses;

export const harnessNamed = (name: string): CatalogueHarness | undefined => catalogue().harnesses.get(name);

/** Returns the tasks called `task` or `harness.task`, ignoring case; several if a bare name is ambiguous. */
export const describeTask = (name: string): readonly CatalogueTask[] =>
  catalogue().byName.get(name.toLowerCase()) ?? [];

export type TaskLookup =
  | { readonly kind: 'found'; readonly task: CatalogueTask; readonly harness: CatalogueHarness }
  | { readonly kind: 'ambiguous'; readonly candidates: readonly string[] }
  | { readonly kind: 'unknown'; readonly near: readonly string[] };

/** Looks up a task by the name in a config. Case matters; suggestions in `near` ignore it. */
export function findTask(name: string): TaskLookup {
  const { byName, harnesses } = catalogue();
  const matches = (byName.get(name.toLowerCase()) ?? []).filter(
    (task) => task.name === name || `${task.harness}.${task.name}` === name,
  );
  const [task, second] = matches;
  if (second !== undefined)
    return { kind: 'ambiguous', candidates: matches.map((match) => `${match.harness}.${match.name}`) };
  const harness = task === undefined ? undefined : harnesses.get(task.harness);
  return task !== undefined && harness !== undefined
    ? { kind: 'found', task, harness }
    : { kind: 'unknown', near: nearestTasks(name) };
}

function nearestTasks(name: string): string[] {
  const bare = nearestNames(
    name.split('.').at(-1) ?? name,
    listTasks().map((task) => task.name),
  );
  const whole = nearestNames(
    name,
    listTasks().map((task) => `${task.harness}.${task.name}`),
  );
  const near = name.includes('.') ? [...whole, ...bare] : bare;
  return [...new Set(near.length > 0 ? near : longerNames(name))].slice(0, 3);
}

/** Returns the tasks whose name is `name` with something added: `mbpp-chat` for `mbpp`. */
const longerNames = (name: string): string[] =>
  listTasks().flatMap((task) =>
    /^[-_]/.test(task.name.slice(name.length)) && task.name.startsWith(name) ? [task.name] : [],
  );

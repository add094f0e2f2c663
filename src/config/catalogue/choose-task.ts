/** Chooses the task that a name in a config means. Pure. */
import { describeTask, findTask, harnessNamed, listHarnesses, retiredTask } from './catalogue';
import type { CatalogueTask, TaskLookup } from './catalogue';

export type RequestKind = 'chat' | 'completions' | 'embedding';

/** What a config says about the place of a task. */
export interface TaskSurroundings {
  /** Kinds of requests that its endpoint takes; `undefined` if that is not known. */
  readonly kinds: readonly RequestKind[] | undefined;
  /** Its own image. */
  readonly container: string | null;
}

export type TaskChoice =
  | (Extract<TaskLookup, { kind: 'found' }> & {
      /** The other tasks that the name may mean, if it did not decide alone. */
      readonly others: readonly CatalogueTask[];
    })
  | { readonly kind: 'ambiguous'; readonly candidates: readonly CatalogueTask[] }
  | Extract<TaskLookup, { kind: 'unknown' }>;

/**
 * Looks up a task; of several with a bare name it takes the one that fits. Candidates that remain are sorted, those that fit
 * first.
 */
export function chooseTask(name: string, surroundings: TaskSurroundings): TaskChoice {
  const lookup = findTask(name);
  if (lookup.kind === 'found') return { ...lookup, others: [] };
  if (lookup.kind === 'unknown')
    return inRenamedHarness(name) ?? variantOf(name, surroundings) ?? inOlderImage(name, surroundings) ?? lookup;
  const all = describeTask(name).filter((task) => task.name === name);
  const inImage = all.filter(({ harness }) => isImageOf(surroundings.container, harness));
  const scoring = all.filter(({ harness }) => !contaminationHarnesses.has(harness));
  const meant = inImage.length > 0 ? inImage : scoring.length > 0 ? scoring : all;
  const fitting = meant.filter((task) => fitsKinds(task, surroundings.kinds));
  const [only, second] = fitting;
  const harness = only === undefined ? undefined : harnessNamed(only.harness);
  if (only !== undefined && second === undefined && harness !== undefined)
    return { kind: 'found', task: only, harness, others: all.filter((task) => task !== only) };
  return { kind: 'ambiguous', candidates: [...new Set([...fitting, ...meant, ...all])] };
}

/** A task that today has one variant for each kind of endpoint: `mbpp` is `mbpp-chat` for a chat endpoint. */
function variantOf(name: string, { kinds, container }: TaskSurroundings): TaskChoice | undefined {
  if (container !== null) return undefined;
  const variants = (['chat', 'completions'] as const).flatMap((kind) =>
    [`${name}-${kind}`, `${name}_${kind}`].flatMap((variant) => {
      const lookup = findTask(variant);
      return lookup.kind === 'found' && fitsKinds(lookup.task, [kind]) ? [lookup] : [];
    }),
  );
  const fitting = variants.filter(({ task }) => fitsKinds(task, kinds));
  const [only, second] = fitting;
  if (only === undefined) return undefined;
  const candidates = [...new Set([...fitting, ...variants])].map(({ task }) => task);
  if (second !== undefined) return { kind: 'ambiguous', candidates };
  return { ...only, others: candidates.slice(1) };
}

/** Names that harnesses had in earlier releases. */
const formerNames: Readonly<Record<string, string>> = { safety_harness: 'safety_eval' };

/** A harness under a former name, or with dashes as in the names of images: `simple-evals.mgsm`. */
function inRenamedHarness(name: string): TaskChoice | undefined {
  const dot = name.indexOf('.');
  const written = dot === -1 ? '' : plain(name.slice(0, dot));
  const today = listHarnesses().find((harness) => plain(harness.name) === (formerNames[written] ?? written));
  const lookup = today === undefined ? undefined : findTask(`${today.name}.${name.slice(dot + 1)}`);
  return lookup?.kind === 'found' ? { ...lookup, others: [] } : undefined;
}

const plain = (harness: string): string => harness.replaceAll('-', '_');

/** A retired task is in the image that had it last. Another image is the user's own choice. */
function inOlderImage(name: string, { container }: TaskSurroundings): TaskChoice | undefined {
  const task = container === null ? retiredTask(name) : undefined;
  const harness = task === undefined ? undefined : harnessNamed(task.harness);
  return task === undefined || harness === undefined ? undefined : { kind: 'found', task, harness, others: [] };
}

/** Their tasks bear a benchmark's name, but look for its questions in the training data. */
const contaminationHarnesses: ReadonlySet<string> = new Set(['codec']);

/** Vision models use the chat API. */
export const kindOfEndpoint = (endpoint: string): RequestKind =>
  endpoint === 'embedding' || endpoint === 'completions' ? endpoint : 'chat';

const fitsKinds = ({ endpoints }: CatalogueTask, kinds: TaskSurroundings['kinds']): boolean =>
  kinds === undefined || endpoints.some((endpoint) => kinds.includes(kindOfEndpoint(endpoint)));

/** Whether an image is that of a harness, of whatever registry and version. */
function isImageOf(image: string | null, harness: string): boolean {
  const own = harnessNamed(harness)?.image;
  return image !== null && own !== undefined && nameOf(image) === nameOf(own);
}

const nameOf = (image: string): string =>
  (image.split('/').at(-1) ?? image).replace(/[:@].*$/, '').replace(/\.sqsh$/, '');

/** Whether a task looks for a benchmark's questions in the training data, and scores nothing else. */
export const isContaminationTest = ({ harness }: CatalogueTask): boolean => contaminationHarnesses.has(harness);

/** Returns `harness.task (kind)`. */
export const labelOf = ({ harness, name, endpoints }: CatalogueTask): string =>
  `${harness}.${name} (${endpoints.join(' or ')})`;

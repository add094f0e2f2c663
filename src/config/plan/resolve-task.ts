/** Resolves a task of the config: its harness, image and kind of endpoint. */
import { harnessNamed, listHarnesses } from '../catalogue/catalogue';
import { chooseTask, kindOfEndpoint } from '../catalogue/choose-task';
import type { RequestKind, TaskSurroundings } from '../catalogue/choose-task';
import { ambiguousTask, choicesOf, didYouMean, unknownTask } from '../check/check-task-names';
import type { CatalogueTask } from '../catalogue/catalogue';
import type { TaskConfig } from '../schema/evaluation';
import type { ProblemReport } from './problem-report';
import { surroundingsOf } from './task-surroundings';

export interface ResolvedTask {
  readonly index: number;
  readonly config: TaskConfig;
  /** `harness.task`. */
  readonly task: string;
  /** The evaluator's name for the task (`config.type`). */
  readonly evaluationType: string;
  readonly harness: string;
  readonly image: string;
  /** The catalogue's image, if the config names another one. */
  readonly cataloguedImage?: string;
  /** Key of `deployment.endpoints`. */
  readonly endpoint: string;
  readonly kind: RequestKind;
  readonly catalogueEntry: CatalogueTask | undefined;
}

/** Resolves a task; `undefined` after a problem, which is added to `report`. */
export function resolveTask({
  config,
  index,
  trustUnlisted,
  report,
}: {
  config: TaskConfig;
  index: number;
  trustUnlisted: boolean;
  report: ProblemReport;
}): ResolvedTask | undefined {
  const at = `evaluation.tasks.${index}`;
  const surroundings = surroundingsOf(report.root, index);
  const lookup = chooseTask(config.name, surroundings);
  if (lookup.kind === 'ambiguous') {
    report.add(`${at}.name`, ambiguousTask(config.name), choicesOf(lookup.candidates));
    return undefined;
  }
  if (lookup.kind === 'unknown')
    return resolveUnlistedTask({ config, index, trustUnlisted, near: lookup.near, report });
  const { task, harness } = lookup;
  const endpoint = config.endpoint_type ?? endpointFor(task, surroundings);
  const isListed = task.endpoints.some((type) => kindOfEndpoint(type) === kindOfEndpoint(endpoint));
  // Another image may have another version of the task, which its user knows better.
  if (!isListed && config.container === null) {
    const needs = task.capabilities === undefined ? '' : ` (it needs ${task.capabilities.join(', ')})`;
    report.add(
      `${at}.endpoint_type`,
      `\`${config.name}\` works only with ${task.endpoints.join(' or ')} endpoints${needs}, found ${endpoint}`,
      'remove endpoint_type, or choose the variant of the task for this kind of endpoint',
    );
    return undefined;
  }
  return {
    index,
    config,
    task: `${task.harness}.${task.name}`,
    evaluationType: task.name,
    harness: harness.name,
    image: config.container ?? task.image ?? harness.image,
    ...(config.container && config.container !== harness.image ? { cataloguedImage: harness.image } : {}),
    endpoint,
    kind: kindOfEndpoint(endpoint),
    catalogueEntry: task,
  };
}

/** Resolves a task that is not in the catalogue, which needs an image and the user's trust. */
function resolveUnlistedTask({
  config,
  index,
  trustUnlisted,
  near,
  report,
}: {
  config: TaskConfig;
  index: number;
  trustUnlisted: boolean;
  near: readonly string[];
  report: ProblemReport;
}): ResolvedTask | undefined {
  const at = `evaluation.tasks.${index}.name`;
  const [harness = '', ...rest] = config.name.split('.');
  const known = rest.length > 0 ? harnessNamed(harness) : undefined;
  const image = config.container ?? known?.image;
  const meant = near.length > 0 ? didYouMean(near) : undefined;
  if (image === undefined) {
    const harnesses = listHarnesses()
      .map(({ name }) => name)
      .join(', ');
    report.add(
      at,
      unknownTask(config.name),
      meant ??
        (rest.length > 0
          ? `harnesses: ${harnesses}`
          : 'for the list see `evalsaga ls tasks`; for a task outside the list set its `container`'),
    );
    return undefined;
  }
  if (!trustUnlisted) {
    report.add(
      at,
      `\`${config.name}\` is not in the task list`,
      `${meant === undefined ? '' : `${meant} `}To run an unlisted task in ${image}, set NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1${config.endpoint_type === null ? ', and add `endpoint_type` unless it takes a chat endpoint' : ''}`,
    );
    return undefined;
  }
  const endpoint = config.endpoint_type ?? 'chat';
  return {
    index,
    config,
    task: config.name,
    evaluationType: config.name,
    harness,
    image,
    endpoint,
    kind: kindOfEndpoint(endpoint),
    catalogueEntry: undefined,
  };
}

/** Returns the first kind of endpoint that the task can use and that it gets. */
function endpointFor({ endpoints }: CatalogueTask, { kinds }: TaskSurroundings): string {
  return endpoints.find((type) => kinds?.includes(kindOfEndpoint(type)) === true) ?? endpoints[0] ?? 'chat';
}

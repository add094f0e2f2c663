/** Resolves a task of the config: its harness, image and kind of endpoint. */
import { findTask, harnessNamed, listHarnesses } from '../catalogue/catalogue';
import { ambiguousTask, didYouMean, unknownTask } from '../check/check-task-names';
import type { CatalogueTask } from '../catalogue/catalogue';
import type { TaskConfig } from '../schema/evaluation';
import type { RequestKind } from './existing-url';
import type { ProblemReport } from './problem-report';

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
  const lookup = findTask(config.name);
  if (lookup.kind === 'ambiguous') {
    report.add(`${at}.name`, ambiguousTask(config.name), `write one of: ${lookup.candidates.join(', ')}`);
    return undefined;
  }
  if (lookup.kind === 'unknown')
    return resolveUnlistedTask({ config, index, trustUnlisted, near: lookup.near, report });
  const { task, harness } = lookup;
  const endpoint = config.endpoint_type ?? task.endpoints[0] ?? 'chat';
  if (!task.endpoints.some((type) => kindOf(type) === kindOf(endpoint))) {
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
    image: config.container ?? harness.image,
    ...(config.container && config.container !== harness.image ? { cataloguedImage: harness.image } : {}),
    endpoint,
    kind: kindOf(endpoint),
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
      `${meant === undefined ? '' : `${meant} `}To run an unlisted task in ${image}, set NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1`,
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
    kind: kindOf(endpoint),
    catalogueEntry: undefined,
  };
}

/** Vision models use the chat API. */
const kindOf = (endpoint: string): RequestKind =>
  endpoint === 'embedding' || endpoint === 'completions' ? endpoint : 'chat';

/** What `init` needs to know, from options; what they lack is asked for on a terminal. */
import { listHarnesses, taskNameToday, tasksNamed, type NewConfig } from '../../config';
import { listOption, textOption, type CommandInput } from '../command';
import { UsageError } from '../usage-error';

export const deploymentTypes = ['vllm', 'sglang', 'nim', 'trtllm', 'generic', 'none'] as const;
export type DeploymentChoice = (typeof deploymentTypes)[number];

/** Answers so far. */
export interface Answers {
  readonly model?: string;
  readonly deployment?: DeploymentChoice;
  readonly url?: string;
  readonly apiKeyName?: string;
  readonly image?: string;
  readonly command?: string;
  readonly resourceShape?: string;
  readonly tasks: readonly string[];
  readonly limitSamples?: number;
  readonly outputDir?: string;
}

export const defaultShape = 'gpu.1xh200';
export const defaultOutputDir = './results';

/** Reads the options. Throws `UsageError` for a value that can't be right. */
export function answersFrom(input: CommandInput): Answers {
  const text = (name: string) => textOption(input, name);
  const deployment = deploymentTypes.find((type) => type === text('deployment'));
  const url = text('url');
  const answers: Record<string, unknown> = {
    model: text('model'),
    deployment: deployment ?? (url === undefined ? undefined : 'none'),
    url,
    apiKeyName: text('apiKeyName'),
    image: text('image'),
    command: text('command'),
    resourceShape: text('resourceShape'),
    outputDir: text('outputDir'),
    limitSamples: samplesFrom(text('limitSamples')),
  };
  const given = Object.fromEntries(Object.entries(answers).filter(([, value]) => value !== undefined));
  return { ...given, tasks: tasksFrom(listOption(input, 'task'), kindOf(url)) };
}

function samplesFrom(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new UsageError('--limit-samples wants a number of samples, at least 1.');
  return count;
}

/** The kind of endpoint that a request URL says. */
const kindOf = (url: string | undefined): string | undefined => {
  if (url === undefined) return undefined;
  if (/\/chat\/completions\/?$/.test(url)) return 'chat';
  return /\/completions\/?$/.test(url) ? 'completions' : undefined;
};

/** Returns tasks by their names with harness. `-t a,b` is the same as `-t a -t b`. */
function tasksFrom(given: readonly string[], kind: string | undefined): string[] {
  const names = given.flatMap((each) => each.split(',')).map((name) => name.trim());
  return names.filter((name) => name !== '').map((name) => wholeName(name, kind));
}

function wholeName(name: string, kind: string | undefined): string {
  const today = taskNameToday(name, kind) ?? name;
  const [only, second] = tasksNamed(today);
  if (only !== undefined && second === undefined) return `${only.harness}.${only.name}`;
  if (only === undefined) {
    const harnesses = listHarnesses()
      .map((harness) => harness.name)
      .join(', ');
    throw new UsageError(`There is no task "${name}". List them with: evalsaga ls tasks (harnesses: ${harnesses})`);
  }
  const choices = tasksNamed(today).map((task) => `${task.harness}.${task.name} (${task.endpoints.join(', ')})`);
  throw new UsageError(`Several harnesses have a task "${name}": ${choices.join(', ')}. Give one with its harness.`);
}

/** Returns the options that are still needed, as they are written. */
export function missingOptions({ model, deployment, url, image, command, tasks }: Answers): string[] {
  return [
    ...(model === undefined ? ['--model MODEL'] : []),
    ...(deployment === undefined ? [`--deployment ${deploymentTypes.join('|')}`] : []),
    ...(deployment === 'none' && url === undefined ? ['--url URL'] : []),
    ...((deployment === 'nim' || deployment === 'generic') && image === undefined ? ['--image IMAGE'] : []),
    ...(deployment === 'generic' && command === undefined ? ['--command COMMAND'] : []),
    ...(tasks.length === 0 ? ['-t TASK'] : []),
  ];
}

/** Options that say nothing with this deployment. */
export function contradictions({ deployment, url, apiKeyName, image, command, resourceShape }: Answers): string[] {
  const given = Object.entries({ '--url': url, '--api-key-name': apiKeyName });
  const served = Object.entries({ '--image': image, '--command': command, '--resource-shape': resourceShape });
  const unused = deployment === 'none' ? served : deployment === undefined ? [] : given;
  return unused.flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

/** Returns whole answers as a config's content. Throws `UsageError` if something is missing. */
export function newConfigFrom(answers: Answers): NewConfig {
  const missing = missingOptions(answers);
  const { model, deployment, url, apiKeyName, image, command, tasks, limitSamples } = answers;
  if (model === undefined || deployment === undefined || missing.length > 0)
    throw new UsageError(
      `Without a terminal to ask on, give also: ${missing.join(', ')}. init --help lists all options`,
    );
  const unused = contradictions(answers);
  if (unused.length > 0) throw new UsageError(`${unused.join(', ')}: no effect with --deployment ${deployment}.`);
  const common = {
    model,
    tasks,
    outputDir: answers.outputDir ?? defaultOutputDir,
    ...(limitSamples === undefined ? {} : { limitSamples }),
  };
  if (deployment === 'none')
    return { ...common, deployment, url: url ?? '', ...(apiKeyName === undefined ? {} : { apiKeyName }) };
  return {
    ...common,
    deployment,
    resourceShape: answers.resourceShape ?? defaultShape,
    ...(image === undefined ? {} : { image }),
    ...(command === undefined ? {} : { command }),
  };
}

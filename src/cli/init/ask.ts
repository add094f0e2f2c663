/** Asks on a terminal for what the options left open. */
import type { Readable, Writable } from 'node:stream';
import { isContaminationTest, listTasks, type CatalogueTask } from '../../config';
import { Interrupted } from '../usage-error';
import { defaultOutputDir, defaultShape, type Answers, type DeploymentChoice } from './answers';

export interface Terminal {
  readonly input: Readable;
  readonly output: Writable;
}

const deployments: readonly { readonly value: DeploymentChoice; readonly label: string; readonly hint: string }[] = [
  { value: 'vllm', label: 'vLLM', hint: 'serves most models of the hub' },
  { value: 'sglang', label: 'SGLang', hint: 'serves most models of the hub' },
  { value: 'trtllm', label: 'TensorRT-LLM', hint: "NVIDIA's server for its own GPUs" },
  { value: 'nim', label: 'NIM', hint: 'a container that holds its model' },
  { value: 'generic', label: 'another server', hint: 'any OpenAI-compatible image and command' },
  { value: 'none', label: 'nothing', hint: 'evaluate an endpoint that exists already' },
];

/** Returns the answers with what was missing. Throws `Interrupted` if the user leaves. */
export async function askFor(given: Answers, terminal: Terminal): Promise<Answers> {
  const clack = await import('@clack/prompts');
  const to = { input: terminal.input, output: terminal.output };
  const settled = <T>(answer: T): Exclude<T, symbol> => {
    if (clack.isCancel(answer)) throw new Interrupted('Nothing was written.');
    return answer as Exclude<T, symbol>;
  };
  const text = async (message: string, options: { placeholder?: string; defaultValue?: string } = {}) => {
    const isOptional = options.defaultValue !== undefined;
    const validate = (value: string | undefined) =>
      isOptional || value?.trim() ? undefined : 'A value is needed here.';
    return settled(await clack.text({ ...to, message, ...options, validate })).trim();
  };
  clack.intro('A config for evalsaga', to);
  const deployment =
    given.deployment ??
    settled(await clack.select({ ...to, message: 'What serves the model?', options: [...deployments] }));
  const isOwn = deployment !== 'none';
  const name = deployment === 'vllm' || deployment === 'sglang' || deployment === 'trtllm';
  const model =
    given.model ??
    (await text(name ? 'Which model? org/name of the hub' : 'Under which name is the model served?', {
      placeholder: name ? 'Qwen/Qwen3-0.6B' : 'meta/llama-3.1-8b-instruct',
    }));
  const served = await serverAnswers({ ...given, deployment }, text);
  const tasks = given.tasks.length > 0 ? given.tasks : settled(await clack.autocompleteMultiselect(taskQuestion(to)));
  const limit =
    given.limitSamples ??
    settled(
      await clack.confirm({
        ...to,
        message: 'Take only 10 samples of each benchmark, to try it out?',
        initialValue: true,
      }),
    );
  const outputDir =
    given.outputDir ??
    (await text('Where do results go?', { placeholder: defaultOutputDir, defaultValue: defaultOutputDir }));
  clack.outro(isOwn ? 'Each benchmark gets an endpoint of its own.' : 'The endpoint is used, and never changed.', to);
  const samples = typeof limit === 'number' ? limit : limit ? 10 : undefined;
  return { ...served, model, tasks, outputDir, ...(samples === undefined ? {} : { limitSamples: samples }) };
}

/** Asks what depends on the kind of deployment. */
async function serverAnswers(
  given: Answers,
  text: (message: string, options?: { placeholder?: string; defaultValue?: string }) => Promise<string>,
): Promise<Answers> {
  const { deployment } = given;
  if (deployment === 'none') {
    const url = given.url ?? (await text('What is its URL?', { placeholder: 'https://host/v1' }));
    const key =
      given.apiKeyName ??
      (await text('Which variable of this host holds its key? Empty: it needs none', { defaultValue: '' }));
    return { ...given, url, ...(key === '' ? {} : { apiKeyName: key }) };
  }
  const needsImage = deployment === 'nim' || deployment === 'generic';
  const image = given.image ?? (needsImage ? await text('Which container image?') : undefined);
  const command =
    given.command ?? (deployment === 'generic' ? await text('Which command starts the server?') : undefined);
  const resourceShape =
    given.resourceShape ??
    (await text('Which resource shape has a replica? The number is the number of GPUs', {
      placeholder: defaultShape,
      defaultValue: defaultShape,
    }));
  return {
    ...given,
    resourceShape,
    ...(image === undefined ? {} : { image }),
    ...(command === undefined ? {} : { command }),
  };
}

/** Tests for contamination bear the names of benchmarks: they come last, so that a search finds the benchmark first. */
const inOrderOfUse = (tasks: readonly CatalogueTask[]): readonly CatalogueTask[] =>
  tasks.toSorted((a, b) => Number(isContaminationTest(a)) - Number(isContaminationTest(b)));

const taskQuestion = (to: Terminal) => ({
  ...to,
  message: 'Which benchmarks? Type to search; Tab selects',
  options: inOrderOfUse(listTasks()).map(({ harness, name, endpoints }) => ({
    value: `${harness}.${name}`,
    label: `${harness}.${name}`,
    hint: endpoints.join(', '),
  })),
  maxItems: 10,
  required: true,
});

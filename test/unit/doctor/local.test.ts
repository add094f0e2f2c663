import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { admitLocally } from '../../../src/doctor/admission';
import { checkLocalRun } from '../../../src/doctor/check-local';
import { checkDisk } from '../../../src/doctor/check-machine';
import { provisionHarness } from '../../../src/local-platform/harness/provision-harness';
import { homePaths } from '../../../src/home/paths';
import { freshFolder, testCache } from '../../support/folders';
import { plan as planned, runnable } from '../config/configs';

/** With the real harness, whose own client says that there is no hub. */
const home = homePaths({ EVALSAGA_HOME: testCache });
const builtIn = 'HuggingFaceTB/SmolLM2-135M-Instruct';

let folder: Awaited<ReturnType<typeof freshFolder>>;
let before: string | undefined;
beforeAll(async () => {
  folder = await freshFolder('doctor-local');
  await provisionHarness({ home });
  before = process.env['HF_HUB_OFFLINE'];
  process.env['HF_HUB_OFFLINE'] = '1';
}, 600_000);
afterAll(async () => {
  if (before === undefined) delete process.env['HF_HUB_OFFLINE'];
  else process.env['HF_HUB_OFFLINE'] = before;
  await folder.dispose();
});

const planOf = (overrides: string[]) => planned(runnable(), { overrides });

const failures = async (overrides: string[]): Promise<string[]> => {
  const { plan } = await planOf(overrides);
  const findings = await checkLocalRun({ plan, home });
  return findings.flatMap(({ level, about, message }) => (level === 'FAIL' ? [`${about}: ${message}`] : []));
};

const model = (value: string): string[] => [`deployment.checkpoint_path=${value}`, 'deployment.hf_model_handle=null'];
const handle = (value: string): string[] => [`deployment.hf_model_handle=${value}`];
const tasks = (...names: string[]): string => `evaluation.tasks=[${names.map((name) => `{name: ${name}}`).join(', ')}]`;

test('what this machine can serve and has the data of passes', async () => {
  expect(await failures([...handle(builtIn), tasks('hellaswag', 'gsm8k')])).toEqual([]);
  const file = path.join(folder.path, 'own.gguf');
  await writeFile(file, 'GGUF');
  expect(await failures([...model(file), tasks('hellaswag')])).toEqual([]);
});

test('what would fail minutes later is found before anything is made', async () => {
  expect(await failures([...handle('meta-llama/Llama-3.1-8B-Instruct'), tasks('hellaswag')])).toEqual([
    expect.stringMatching(/model: .*weights are not on this machine/),
  ]);
  expect(await failures([...model('/nope/model.gguf'), tasks('hellaswag')])).toEqual([
    expect.stringMatching(/model: .*no GGUF file at this path/),
  ]);
  expect(await failures([...handle(builtIn), tasks('hellaswag', 'lm-evaluation-harness.ifeval')])).toEqual([
    expect.stringMatching(/task 1 \(lm-evaluation-harness\.ifeval\): .*hub can't be reached/),
  ]);
  const shots =
    'evaluation.tasks=[{name: hellaswag, nemo_evaluator_config: {config: {params: {extra: {num_fewshot: 5}}}}}]';
  expect(await failures([...handle(builtIn), shots])).toEqual([expect.stringMatching(/5-shot prompts need/)]);
});

test('a start and a dry run refuse it, with exit code 2', async () => {
  const { plan } = await planOf([...model('/nope/model.gguf'), tasks('hellaswag')]);
  await expect(admitLocally({ plan, home })).rejects.toMatchObject({
    name: 'RunNotAdmitted',
    message: expect.stringMatching(/nothing was created[^]*no GGUF file/),
  });
});

test('where the harness is not installed yet, the hub is not known', async () => {
  const { plan } = await planOf([...handle('org/model-GGUF'), tasks('lm-evaluation-harness.ifeval')]);
  const findings = await checkLocalRun({ plan, home: homePaths({ EVALSAGA_HOME: folder.path }) });
  expect(findings.map(({ level }) => level)).toEqual(['warn', 'warn']);
});

test('looking at the disk makes no home', async () => {
  const root = path.join(folder.path, 'not', 'there');
  expect(await checkDisk({ root }, 1)).toMatchObject([{ level: 'ok' }]);
  expect(existsSync(path.join(folder.path, 'not'))).toBe(false);
});

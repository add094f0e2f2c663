/** What looks like a number stays as it was written, or is reported as ambiguous. It never becomes infinity. */
import { parse } from 'yaml';
import { dedicated, plan, problems, runnable, scriptOf } from './configs';

const spellings = ['695e0514', '3e10', '1.50', '0123', '1e5', '1_000', '12:30'];

test.each(spellings)('%s inside text stays as written', async (text) => {
  const config = runnable(
    `  envs: {REVISION: ${text}}\n  extra_args: "--revision \${deployment.envs.REVISION} --x \${oc.env:X,${text}}"\n`,
  );
  const { spec } = await dedicated(config.replace(/ --x \S+"/, '"'));
  expect(spec.container.command).toEqual(expect.arrayContaining(['--revision', text]));
  expect(spec.envs).toContainEqual({ name: 'REVISION', value: text });
});

test.each(spellings)('a model name made from %s is the same everywhere', async (text) => {
  const { run } = await dedicated(
    runnable('  envs: {R: ' + text + '}\n').replace('org/model', 'org/m-${deployment.envs.R}'),
  );
  expect(run.model).toBe(`org/m-${text}`);
});

const extra = (text: string) =>
  runnable().replace(
    'evaluation:',
    `evaluation:\n  nemo_evaluator_config: {config: {params: {limit_samples: 1e2, extra: {${text}}}}}`,
  );
const paramsOf = async (text: string) => {
  const { plan: run } = await plan(extra(text));
  const script = scriptOf(run.tasks[0]?.job.container.command);
  const yaml = /<<'EVALSAGA_END'\n([^]*?)\nEVALSAGA_END/.exec(script)?.[1] ?? '';
  return { yaml, extra: (parse(yaml) as { config: { params: { extra: unknown } } }).config.params.extra };
};

test.each([
  ['695e0514', 'infinity'],
  ['3e10', '30000000000.0'],
  ['1e5', '100000.0'],
  ['0123456', '42798'],
  ['12:30:00', '45000'],
])('a parameter %s is asked about, since nothing says whether it is a text', async (text, number) => {
  const [problem] = await problems(extra(`revision: ${text}`));
  expect(problem?.message).toContain(number);
  expect(problem?.hint).toContain(`put it in quotes: '${text}'`);
  expect((await paramsOf(`revision: '${text}'`)).extra).toMatchObject({ revision: text });
});

test('unambiguous numbers are passed on as written', async () => {
  const { yaml, extra: given } = await paramsOf('a: 1.50, b: 1e-5, c: 100, d: 1.0e+5, e: .inf, 695e0514: x');
  expect(given).toMatchObject({ a: 1.5, b: 1e-5, c: 100, d: 1e5, e: Infinity, '695e0514': 'x' });
  expect(yaml).toContain('a: 1.50');
});

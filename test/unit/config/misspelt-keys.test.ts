/** A misspelt key is reported as one problem, even if it is a required one. */
import { against, deploying, load, problems, runnable, type Setup } from './configs';

const execution = (body: string) => runnable().replace('  output_dir: ./out', body);
const endpoint = '{url: "http://h/v1/completions", model_id: m}';
const bare = execution('  keep_storage: false');

test.each<[path: string, text: string, setup: Setup]>([
  ['execution.ouput_dir', execution('  ouput_dir: ./out'), {}],
  ['executoin', runnable().replace('execution:\n', 'executoin:\n'), {}],
  ['execution.ouput_dir', bare, { overrides: ['execution.ouput_dir=y'] }],
  ['ouput_dir', bare, { overrides: ['ouput_dir=y'] }],
  ['executoin.output_dir', bare, { overrides: ['executoin.output_dir=y'] }],
  ['execution', bare, { overrides: ['execution={ouput_dir: y}'] }],
  ['execution.ouput_dir', `${execution('  ouput_dir: ./out')}name: "\${execution.output_dir}"\n`, {}],
  ['execution.budget.limt', execution('  output_dir: o\n  budget: {limt: 5, prices: {gpu.1xh200: 1}}'), {}],
  [
    'execution.lepton_platform.tasks.mounts.0.mount_pth',
    execution('  output_dir: o\n  lepton_platform: {tasks: {mounts: [{from: node-local, path: /p, mount_pth: /m}]}}'),
    {},
  ],
  ['deployment.hf_model_hndle', runnable().replace('hf_model_handle', 'hf_model_hndle'), {}],
  ['deploymnt', runnable().replace('\ndeployment:', '\ndeploymnt:'), {}],
  ['deployment.imgae', deploying('nim', '{imgae: nvcr.io/nim/a/b:1, served_model_name: a/b}'), {}],
  ['deployment.served_model_nmae', deploying('nim', '{image: nvcr.io/nim/a/b:1, served_model_nmae: a/b}'), {}],
  ['deployment.comand', deploying('generic', '{image: a/b:1, served_model_name: a/b, comand: "serve x"}'), {}],
  ['target.api_endpoint.ulr', against(endpoint.replace('url', 'ulr')), {}],
  ['target.api_endpoint.model_di', against(endpoint.replace('model_id', 'model_di')), {}],
  ['target.api_endpont', against(endpoint).replace('api_endpoint', 'api_endpont'), {}],
  ['taget', against(endpoint).replace('target:', 'taget:'), {}],
  ['evaluation.tasks.0.nmae', runnable().replace('- name:', '- nmae:'), {}],
  ['evaluation.taks', runnable().replace('  tasks:', '  taks:'), {}],
  ['evalution', runnable().replace('evaluation:', 'evalution:'), {}],
])('%s', async (path, text, setup) => {
  expect(await problems(text, setup)).toMatchObject([{ path, hint: expect.stringContaining('did you mean') }]);
});

test('keys that are missing anyway, and problems elsewhere, are still reported', async () => {
  const section = runnable().replace('execution:\n  output_dir: ./out', 'executoin:\n  keep_storage: true');
  expect((await problems(section)).map(({ path }) => path)).toEqual(['execution.output_dir', 'executoin']);
  const two = runnable('  prt: 80\n  port: 99999\n').replace('output_dir', 'ouput_dir');
  expect((await problems(two)).map(({ path }) => path).sort()).toEqual([
    'deployment.port',
    'deployment.prt',
    'execution.ouput_dir',
  ]);
  const behind = execution('  ouput_dir: ./out').replace('hf_model_handle: org/model', 'port: 80');
  expect((await problems(behind)).map(({ path }) => path)).toEqual([
    'execution.ouput_dir',
    'deployment.checkpoint_path',
    'deployment.served_model_name',
  ]);
});

describe('an override of a key that is not there', () => {
  test.each([
    ['deployment.foo=1', '`deployment` has no key `foo`', 'allowed: '],
    ['deployment.foo.bar=1', '`deployment` has no key `foo`', 'allowed: '],
    ['execution={foo: 1}', '`execution` has no key `foo`', 'allowed: '],
    ['execution.exporters=x', 'has no effect here', ''],
  ])('%s: is not to be added when the schema does not know it', async (override, message, hint) => {
    const [problem, ...more] = await problems(runnable(), { overrides: [override] });
    expect(problem).toMatchObject({ message, hint: expect.stringContaining(hint) });
    expect(problem?.hint).not.toContain('to add it');
    expect(more).toEqual([]);
  });

  test('one that the schema knows is added with `+`', async () => {
    const [problem] = await problems(runnable(), {
      overrides: ['deployment.lepton_config.auto_scaler.scale_down.not_ready_timeout=5m'],
    });
    expect(problem?.hint).toBe('to add it: +deployment.lepton_config.auto_scaler.scale_down.not_ready_timeout=VALUE');
    await expect(
      load(runnable(), { overrides: ['+deployment.lepton_config.auto_scaler.scale_down.not_ready_timeout=5m'] }),
    ).resolves.toBeDefined();
  });

  test.each([
    ['execution.budget.limit=5', 'to add it: +execution.budget.limit=VALUE'],
    ['deployment.port.foo=1', undefined],
  ])('%s: below nothing it can be added, below a value it can not', async (override, hint) => {
    const [problem] = await problems(runnable(), { overrides: [override] });
    expect(problem?.hint).toBe(hint);
  });

  test('one that is nearly known has the name of that', async () => {
    const [problem] = await problems(runnable(), {
      overrides: ['deployment.lepton_config.auto_scaler.scale_down.not_ready_timeot=5m'],
    });
    expect(problem?.hint).toBe('did you mean `not_ready_timeout`?');
  });
});

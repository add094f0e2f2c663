/** `export` and `execution.auto_export`: what a run exports at its end, and what is refused before anything costs money. */
import { exportRequest, renderProblem, type SettingsSources } from '../../../src/config';
import { load, plan, problems, runnable } from './configs';

const exporting = (destinations: string, settings = '', execution = ''): string =>
  `${runnable().replace('./out\n', `./out\n  auto_export: {destinations: [${destinations}]${execution}}\n`)}export: {${settings}}\n`;

const mlflow = 'mlflow: {tracking_uri: "http://mlflow:5000", log_logs: true, tags: {team: search}}';

test('destinations become plans, with the settings of the launcher and keys as references', async () => {
  const text = exporting(
    'mlflow, wandb, local, gsheets, mlflow',
    `${mlflow}, wandb: {project: p, entity: e, log_mode: multi_task}, local: {output_dir: tables, format: csv}, env_vars: {WANDB_API_KEY: host:MY_KEY}`,
  );
  const env = {
    MY_KEY: 'key-of-wandb',
    MLFLOW_TRACKING_TOKEN: 'token-of-mlflow',
    GSHEETS_ACCESS_TOKEN: 'token-of-google',
  };
  const { plan: run, hostSecrets } = await plan(text, { env });
  const host = (name: string, from = name) => ({ name, secret: { kind: 'host', name: from } });
  expect(run.exports).toMatchObject([
    { to: 'mlflow', settings: { copy_logs: true, tags: { team: 'search' } }, envs: [host('MLFLOW_TRACKING_TOKEN')] },
    { to: 'wandb', settings: { project: 'p', log_mode: 'multi_task' }, envs: [host('WANDB_API_KEY', 'MY_KEY')] },
    { to: 'csv', settings: { output_dir: '/work/tables', output_filename: null }, envs: [] },
    { to: 'gsheets', settings: { spreadsheet_id: null }, envs: [host('GSHEETS_ACCESS_TOKEN')] },
  ]);
  expect(hostSecrets).toEqual(['GSHEETS_ACCESS_TOKEN', 'MLFLOW_TRACKING_TOKEN', 'MY_KEY']);
  expect(JSON.stringify(run)).not.toMatch(/key-of|token-of/);
});

test('without destinations there is no export, whatever templates leave open', async () => {
  const { plan: run } = await plan(`${runnable()}export: {mlflow: {tracking_uri: ???}, wandb: {project: ???}}\n`);
  expect(run.exports).toBeUndefined();
});

test.each([
  ['mlflow', 'mlflow: {tracking_uri: ???}', 'export.mlflow.tracking_uri', 'a value is required'],
  ['mlflow', '', 'export.mlflow.tracking_uri', 'no tracking server is named'],
  ['mlflow', 'mlflow: {tracking_uri: "sqlite:///x.db"}', 'export.mlflow.tracking_uri', 'only a tracking server'],
  ['mlflow', 'mlflow: {tracking_uri: "http://u:p4ssw0rd-of-mine@mlflow"}', 'export.mlflow.tracking_uri', ''],
  ['mlflow', 'mlflow: {tracking_uri: "http://m", colour: red}', 'export.mlflow.colour', 'has no key `colour`'],
  [
    'wandb',
    'env_vars: {WANDB_API_KEY: host:NOT_SET}, wandb: {project: p}',
    'export.env_vars.WANDB_API_KEY',
    'NOT_SET is not set',
  ],
  ['wandb', 'env_vars: {WANDB_MODE: lit:offline}', 'export.wandb.project', 'a W&B run needs a project'],
  [
    'gsheets',
    'gsheets: {service_account_file: /no/such/file}',
    'export.gsheets.service_account_file',
    'there is no file',
  ],
  ['jet', '', 'execution.auto_export.destinations.0', 'expected one of'],
])('%s with {%s} is refused at %s', async (destination, settings, path, message) => {
  const found = await problems(exporting(destination, settings));
  expect(found.map((problem) => problem.path)).toEqual([path]);
  expect(found[0]?.message).toContain(message);
  expect(found.map(renderProblem).join()).not.toContain('p4ssw0rd');
});

test('a folder of this machine is no place for files where any worker exports', async () => {
  const stored = exporting('nel', 'nel: {output_dir: bundles}').replace('./out\n', './out\n  results_store: /shared\n');
  expect((await problems(stored)).map(({ path }) => path)).toEqual(['export.nel.output_dir']);
});

test('forms of older launchers are read, and said; what only the launcher needs is ignored', async () => {
  const text = exporting(
    'mlflow',
    '',
    ', configs: {mlflow: {tracking_uri: MLFLOW_URL_OF_TEAM}}, export_image: x',
  ).replace('export: {}\n', '');
  const env = { MLFLOW_URL_OF_TEAM: 'https://mlflow.example' };
  const { warnings } = await load(text, { env });
  const said = warnings.map(renderProblem).join('\n');
  expect(said).toContain('execution.auto_export.configs.mlflow: is read as `export.mlflow`');
  expect(said).toContain('ignored: execution.auto_export.export_image');
  const { plan: run, hostSecrets } = await plan(text, { env });
  expect(run.exports).toMatchObject([{ to: 'mlflow', settings: { tracking_uri: null } }]);
  expect(hostSecrets).toEqual(['MLFLOW_URL_OF_TEAM']);
});

describe('settings of an export that a person asks for', () => {
  const request = (sources: Partial<SettingsSources>) =>
    exportRequest({ to: 'mlflow', runConfig: null, overrides: [], env: {}, ...sources });

  test("come from the run's config, then from the command line; another target's don't matter", () => {
    const runConfig = 'export:\n  mlflow: {experiment_name: nightly, tags: {a: b}}\n  wandb: {project: ???}\n';
    const overrides = ['tags.c=d', 'export.mlflow.tracking_uri=http://m', '~tags.a'];
    const env = { MLFLOW_TRACKING_TOKEN: 't' };
    const { request: found, variables } = request({ runConfig, overrides, env });
    expect(found.settings).toMatchObject({ experiment_name: 'nightly', tags: { c: 'd' }, tracking_uri: 'http://m' });
    expect(Object.fromEntries(variables)).toEqual({ MLFLOW_TRACKING_TOKEN: 't' });
  });

  test('a wrong one is refused with its place', () => {
    expect(() => request({ overrides: ['log_config_params_max_depth=many'] })).toThrow(/a whole number/);
    expect(() => request({ overrides: ['colour=red'] })).toThrow(/has no key `colour`/);
    expect(() => request({ overrides: ['tracking_uri=SOME_VARIABLE'] })).toThrow(/SOME_VARIABLE is not set/);
  });
});

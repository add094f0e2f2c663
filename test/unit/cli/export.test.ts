import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { CommandContext } from '../../../src/cli/command';
import { exportResults } from '../../../src/cli/commands/export';
import { UsageError } from '../../../src/cli/usage-error';
import { tableOf } from '../../../src/export/csv';
import { plainStyle } from '../../../src/cli/render/style';
import { homePaths } from '../../../src/home/paths';
import { storeRun } from '../../../src/home/run-store';
import { finishedInvocation, writeFinishedRun, writeRunOfTwoModels } from '../../support/finished-run';
import { freshFolder } from '../../support/folders';
import { runPlan } from '../../support/plans';
import { sendJson, startServer } from '../../support/http-server';

/** `export` of a run's folder, for which nothing needs to run. */

let root: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => {
  root = await freshFolder('export-command');
  await writeFinishedRun(path.join(root.path, 'run'));
});
afterAll(() => root.dispose());

async function command(args: readonly string[], options: Record<string, unknown>, env: Record<string, string> = {}) {
  const said: string[] = [];
  const documents: unknown[] = [];
  const concealed: string[] = [];
  const say = (text: string): void => void said.push(text);
  const output = {
    ...{ answer: say, note: say, warn: say, json: (document: unknown) => void documents.push(document) },
    ...{ conceal: (values: readonly string[]) => void concealed.push(...values), style: plainStyle },
  } as unknown as CommandContext['output'];
  const home = homePaths({ EVALSAGA_HOME: path.join(root.path, 'home') });
  const context = { env, cwd: root.path, home, output, commandLine: 'export' };
  const outcome = await exportResults({ arguments: args, options }, context);
  return { outcome, said: said.join('\n'), documents, concealed };
}

test('a folder goes to a file; one task of it; a dry run writes nothing', async () => {
  const dry = await command(['run'], { to: 'json', outputDir: 'out', dryRun: true });
  expect(dry.said).toContain(`${finishedInvocation}.0 lm-evaluation-harness.hellaswag: 2 scores`);
  await expect(readFile(path.join(root.path, 'out', 'processed_results.json'))).rejects.toThrow('ENOENT');
  const { outcome, documents } = await command(['run'], {
    to: 'local',
    override: ['format=csv'],
    outputDir: 'out',
    json: true,
  });
  expect(outcome).toEqual({ kind: 'done' });
  const file = path.join(root.path, 'out', 'processed_results.csv');
  const report = { run: finishedInvocation, to: 'csv', outcome: 'exported', tasks: 2, where: file, message: null };
  expect(documents).toEqual([{ exports: [report] }]);
  expect(await readFile(file, 'utf8')).toContain(`${finishedInvocation}.1`);
});

describe('a run of two models that this machine knows', () => {
  beforeAll(async () => {
    const plan = runPlan({ invocation: finishedInvocation, outputRoot: path.join(root.path, 'results') });
    await writeRunOfTwoModels(plan.outputDir);
    const home = homePaths({ EVALSAGA_HOME: path.join(root.path, 'home') });
    await storeRun(home, { plan, configYaml: '', secrets: {} });
  });

  test('one of its models goes alone', async () => {
    const { documents } = await command(['3f2a/tuned'], { to: 'csv', outputDir: 'tuned', json: true });
    expect(documents).toMatchObject([{ exports: [{ outcome: 'exported', tasks: 1 }] }]);
    const file = path.join(root.path, 'tuned', 'processed_results.csv');
    const { columns, rows } = tableOf(await readFile(file, 'utf8'));
    expect(rows.map((row) => row[columns.indexOf('Model Name')])).toEqual(['org/tuned']);
  });

  test.each([
    ['3f2a/another', /no model named another\. It has: base, tuned\./],
    ['3f2a.7', /no task 7\. It has: 0 base\/hellaswag, 1 tuned\/hellaswag\./],
    ['3f2a.e0', /no shared endpoint e0/],
  ])('%s is a usage error, and nothing is written', async (address, message) => {
    const refused = command([address], { to: 'csv', outputDir: 'refused' });
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toBeInstanceOf(UsageError);
    await expect(stat(path.join(root.path, 'refused'))).rejects.toThrow('ENOENT');
  });
});

test.each([
  [['run'], {}, /Say where to: --to TARGET/],
  [['run'], { to: 'jet' }, /there is no such target/],
  [['run'], { to: 'mlflow', override: ['experiment=x'] }, /has no key `experiment`/],
  [['nothing-here/'], { to: 'csv' }, /no such folder/],
  [['.'], { to: 'csv' }, /there is no run\.json/],
])('%s with %s is a usage error', async (args, options, message) => {
  await expect(command(args, options)).rejects.toThrow(message);
});

test('a key is concealed, and sent to the server only', async () => {
  const server = await startServer((_request, response) => sendJson(response, { message: 'no' }, 403));
  const env = { MLFLOW_TRACKING_TOKEN: 'token-of-mlflow-12345', MLFLOW_TRACKING_URI: server.url };
  const failure: Error = await command(['run'], { to: 'mlflow' }, env).then(
    () => new Error('exported'),
    (error: Error) => error,
  );
  expect(failure.message).toContain('the key is missing, wrong or may not do this');
  expect(failure.message).not.toContain('token-of-mlflow');
  expect(server.seen[0]?.headers.authorization).toBe('Bearer token-of-mlflow-12345');
  await server.close();
});

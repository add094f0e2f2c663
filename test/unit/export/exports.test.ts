import { generateKeyPairSync } from 'node:crypto';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExportRequest, GsheetsSettings, WandbSettings } from '../../../src/contract/export';
import { changeOf, keyColumn, type StoredTable } from '../../../src/export/rows';
import { csvWith, tableOf } from '../../../src/export/csv';
import { exportRun, withExportedRun, type RunToExport } from '../../../src/export/export-run';
import type { ExportContext, Exported } from '../../../src/export/exporter';
import { uuidOf } from '../../../src/export/eee';
import { flatConfig, keyOf, tagOf } from '../../../src/export/mlflow/names';
import { wandbRuns } from '../../../src/export/wandb/wandb';
import { homePaths } from '../../../src/home/paths';
import { common, fileSettings } from '../../support/export-settings';
import {
  finishedInvocation,
  writeFinishedRun,
  writeRunOfTwoModels,
  type FinishedRun,
} from '../../support/finished-run';
import { freshFolder } from '../../support/folders';
import { startGoogle, type GoogleStandIn } from '../../support/google';

let root: Awaited<ReturnType<typeof freshFolder>>;
let run: FinishedRun;
let second: FinishedRun;
beforeAll(async () => {
  root = await freshFolder('exports');
  run = await writeFinishedRun(path.join(root.path, finishedInvocation));
  second = await writeFinishedRun(path.join(root.path, 'second'), { seed: 5, invocation: 'bbbb9c0b1d2e4f56' });
});
afterAll(() => root.dispose());

async function exported(
  request: ExportRequest,
  { of = run, ...context }: Partial<ExportContext> & { of?: FinishedRun } = {},
): Promise<Exported> {
  return withExportedRun(of, (one) =>
    exportRun(one, request, {
      variable: () => undefined,
      outputDir: path.join(root.path, 'out'),
      home: homePaths({ EVALSAGA_HOME: root.path }),
      signal: new AbortController().signal,
      progress: () => undefined,
      ...context,
    }),
  );
}

/** A table's rows by the names of their columns. */
const recordsIn = ({ columns, rows }: StoredTable): Record<string, string>[] =>
  rows.map((cells) => Object.fromEntries(columns.map((name, at) => [name, cells[at] ?? ''])));

const read = (name: string): Promise<string> => readFile(path.join(root.path, 'out', name), 'utf8');

test('JSON and CSV take many runs, hold everything, and stay the same when a run is exported again', async () => {
  for (const to of ['json', 'csv'] as const) {
    await exported({ to, settings: fileSettings });
    const once = await read(`processed_results.${to}`);
    await exported({ to, settings: fileSettings });
    expect(await read(`processed_results.${to}`)).toBe(once);
    await exported({ to, settings: fileSettings }, { of: second });
    await exported({ to, settings: fileSettings });
  }
  const json = JSON.parse(await read('processed_results.json')) as {
    benchmarks: Record<string, { models: Record<string, { job_id: string }[]> }>;
  };
  const entries = json.benchmarks['hellaswag']?.models['org/model'] ?? [];
  expect(entries.map(({ job_id }) => job_id).sort()).toEqual([`${finishedInvocation}.0`, 'bbbb9c0b1d2e4f56.0']);
  expect(entries.find(({ job_id }) => job_id === `${finishedInvocation}.0`)).toMatchObject({
    harness: 'lm-evaluation-harness',
    executor: 'local',
    scores: { hellaswag_acc: expect.any(Number), hellaswag_acc_stderr: 0.05 },
    measurements: { requests: 40, samples_done: 60, job_seconds: 53 },
    facts: { model: 'org/model', task_versions: 'hellaswag 1' },
    run: { cost: { spent: 3.42, currency: 'USD' }, command: 'evalsaga start run.yaml' },
  });
  const table = tableOf(await read('processed_results.csv'));
  expect(recordsIn(table).map((row) => row[keyColumn])).toEqual([
    ...[`${finishedInvocation}.0`, `${finishedInvocation}.1`],
    ...['bbbb9c0b1d2e4f56.0', 'bbbb9c0b1d2e4f56.1'],
  ]);
  expect(table.columns).toEqual(expect.arrayContaining(['acc', 'acc_stderr', 'exact_match_exact_match__strict-match']));
});

test('log_metrics selects scores; a file of somebody else is left alone', async () => {
  const settings = { ...fileSettings, output_filename: 'some.csv', log_metrics: ['NORM'] };
  await exported({ to: 'csv', settings });
  expect(tableOf(await read('some.csv')).columns.filter((name) => /acc|exact/.test(name))).toEqual([
    'acc_norm',
    'acc_norm_stderr',
  ]);
  await writeFile(path.join(root.path, 'out', 'mine.csv'), 'a,b\r\n1,2\r\n');
  const mine = { to: 'csv', settings: { ...fileSettings, output_filename: 'mine.csv' } } as const;
  await expect(exported(mine)).rejects.toThrow(/mine\.csv holds something else/);
});

test('cells with quotes, commas, line breaks and formulas', () => {
  const row = { [keyColumn]: 'x.0', 'Model Name': '=1+1, "a"\nb', acc: -0.5 };
  const text = csvWith({ columns: [], rows: [] }, [row]);
  expect(recordsIn(tableOf(text))[0]).toMatchObject({ 'Model Name': `'=1+1, "a"\nb`, acc: '-0.5', [keyColumn]: 'x.0' });
  expect(csvWith(tableOf(text), [row])).toBe(text);
});

test('a table keeps its columns in their order, and rows where they are', () => {
  const stored = { columns: ['own', keyColumn, 'acc'], rows: [['note', 'x.0', '1']] };
  const change = changeOf(stored, [
    { [keyColumn]: 'x.0', acc: 2 },
    { [keyColumn]: 'x.1', f1: 3 },
  ]);
  expect(change.columns.slice(0, 3)).toEqual(['own', keyColumn, 'acc']);
  expect(change.columns.at(-1)).toBe('f1');
  expect([...change.changed.keys()]).toEqual([0]);
  expect(change.changed.get(0)?.slice(0, 3)).toEqual([null, 'x.0', 2]);
  expect(change.added).toHaveLength(1);
});

describe('one W&B run for all tasks', () => {
  const settings: WandbSettings = {
    ...{ ...common, copy_logs: true, log_mode: 'multi_task', project: 'evaluations', job_type: 'evaluation', tags: [] },
    ...{ entity: null, name: null, group: null, description: null, extra_metadata: {}, run_id: null },
  };
  /** Names of the one run's files of tasks, and of its scores. */
  async function namesOf(source: RunToExport): Promise<{ files: string[]; scores: string[] }> {
    const [one, ...others] = await withExportedRun(source, (exportedRun) => wandbRuns(exportedRun, settings));
    expect(others).toEqual([]);
    return {
      files: one?.files.map(({ name }) => name).filter((name) => name.includes('/')) ?? [],
      scores: Object.keys(one?.metrics ?? {}).filter((name) => name.includes('acc')),
    };
  }
  const of = (task: string): string[] =>
    ['eval_factory_metrics.json', 'results.yml', 'run_config.yml']
      .map((name) => `${task}/artifacts/${name}`)
      .concat(`${task}/logs/job.log`);

  test('has the files of every task, also of two that evaluate the same', async () => {
    const models = await writeRunOfTwoModels(path.join(root.path, 'models'));
    const both = await namesOf(models);
    const tasks = [0, 1].map((index) => `${index}-lm-evaluation-harness.hellaswag`);
    expect(both.files).toEqual(tasks.flatMap(of));
    const scores = ['hellaswag_acc', 'hellaswag_acc_stderr'];
    expect(both.scores).toEqual([0, 1].flatMap((at) => scores.map((name) => `${at}-hellaswag/${name}`)));
    const tuned = await namesOf({ ...models, includes: ({ model }) => model === 'tuned' });
    expect(tuned).toEqual({ files: both.files.slice(4), scores: both.scores.slice(2) });
    expect((await namesOf(run)).files).toEqual(
      ['hellaswag', 'gsm8k'].flatMap((name) => of(`lm-evaluation-harness.${name}`)),
    );
  });

  test('has a score of a group besides that of a task with the same name', async () => {
    const group = await writeFinishedRun(path.join(root.path, 'group'));
    const [first, other] = group.record.tasks;
    if (!first || !other) throw new Error('no tasks');
    const record = { ...group.record, tasks: [first, { ...other, metrics: { hellaswag_acc: 0.25 } }] };
    const { scores } = await namesOf({ ...group, record });
    expect(scores).toEqual(expect.arrayContaining(['hellaswag/hellaswag_acc', 'gsm8k/hellaswag_acc']));
    expect(scores).not.toContain('hellaswag_acc');
  });
});

test('a model that is evaluated on a benchmark twice has two evaluations in every_eval_ever', async () => {
  const twice = await writeRunOfTwoModels(path.join(root.path, 'twice'));
  const [one, other] = ['0-hellaswag', '1-hellaswag'].map((name) => path.join(twice.folder, name, 'run_config.yml'));
  await copyFile(one ?? '', other ?? '');
  const outputDir = path.join(root.path, 'eee');
  await exported({ to: 'eee', settings: fileSettings }, { of: twice, outputDir });
  const folder = path.join(outputDir, 'data', 'hellaswag', 'org', 'base');
  const records = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const ids = await Promise.all(
    records.map(
      async (name) =>
        (JSON.parse(await readFile(path.join(folder, name), 'utf8')) as { evaluation_id: string }).evaluation_id,
    ),
  );
  expect(new Set(ids).size).toBe(2);
});

test("names as MLflow takes them, a config's values, and a UUID that stays the same", () => {
  expect(keyOf('pass@1,strict__é')).toBe('pass_at_1_strict_');
  expect(keyOf('')).toBe('key');
  expect(tagOf('a\nb')).toBe('a b');
  expect(flatConfig('a: {b: [1, {c: null}]}', 10)).toEqual({ 'config.a.b.0': '1', 'config.a.b.1.c': 'null' });
  expect(flatConfig('a: {b: [1, 2]}', 2)).toEqual({ 'config.a.b': '[1,2]' });
  expect(flatConfig('a: [', 2)).toEqual({});
  expect(uuidOf('x.0')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidOf('x.0')).not.toBe(uuidOf('x.1'));
});

/** Google's services can't be had in a test: a stand-in with the documented API. */
describe('Google Sheets', () => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  let google: GoogleStandIn;
  beforeEach(async () => void (google = await startGoogle(keys.publicKey)));
  afterEach(() => google.close());

  const account = (): string =>
    JSON.stringify({ type: 'service_account', client_email: 'me@project.example', private_key: privateKey });
  const settings = (change: Partial<GsheetsSettings> = {}): ExportRequest => ({
    to: 'gsheets',
    settings: {
      ...common,
      service_account_file: null,
      spreadsheet_id: null,
      spreadsheet_name: "Team's results",
      ...change,
    },
  });
  const send = (
    request: ExportRequest,
    of = run,
    variables: Record<string, string> = { GSHEETS_SERVICE_ACCOUNT: account() },
  ) => exported(request, { of, fetch: google.fetch, variable: (name) => variables[name] });

  test('a spreadsheet is made, or found by its name; a row per task is added, or replaced', async () => {
    const { where } = await send(settings());
    expect(where).toContain('/spreadsheets/d/');
    await send(settings(), second);
    await send(settings());
    expect(google.sheets).toHaveLength(1);
    const [header = [], ...rows] = google.sheets[0]?.rows ?? [];
    expect(rows.map((row) => row[header.indexOf(keyColumn)])).toEqual([
      ...[`${finishedInvocation}.0`, `${finishedInvocation}.1`],
      ...['bbbb9c0b1d2e4f56.0', 'bbbb9c0b1d2e4f56.1'],
    ]);
    expect(rows[0]?.[header.indexOf('acc_stderr')]).toBe(0.05);
  });

  test("people's cells, formulas among them, are not written; new columns come after theirs", async () => {
    await send(settings());
    const [sheet] = google.sheets;
    const [header = [], first = []] = sheet?.rows ?? [];
    const width = header.length;
    header.push('Reviewer');
    first.push('Ann', '=HYPERLINK("https://notes.example")');
    first[header.indexOf('Harness')] = 'changed by somebody';
    const longer = await writeFinishedRun(path.join(root.path, 'longer'));
    const [one, other] = longer.record.tasks;
    if (!one || !other) throw new Error('no tasks');
    const record = { ...longer.record, tasks: [{ ...one, metrics: { hellaswag_new: 0.25 } }, other] };
    await send(settings(), { ...longer, record });
    const [after = [], row = []] = sheet?.rows ?? [];
    expect(after.slice(width)).toEqual(['Reviewer', '', 'new']);
    expect(row.slice(width)).toEqual(['Ann', '=HYPERLINK("https://notes.example")', 0.25]);
    expect(row[header.indexOf('acc')]).toEqual(expect.any(Number));
    expect(row[header.indexOf('Harness')]).toBe('lm-evaluation-harness');
  });

  test('a header that waits for rows keeps its columns', async () => {
    google.sheets.push({ id: 'mine', title: 'mine', rows: [['Reviewer', keyColumn]] });
    await send(settings({ spreadsheet_id: 'mine' }));
    const [header = [], row = []] = google.sheets[0]?.rows ?? [];
    expect(header.slice(0, 3)).toEqual(['Reviewer', keyColumn, 'Model Name']);
    expect(row[1]).toBe(`${finishedInvocation}.0`);
  });

  test('another key, another sheet, an overload: what was said, whether to try again, and never the key', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    const wrong = { GSHEETS_SERVICE_ACCOUNT: account().replace(JSON.stringify(privateKey), JSON.stringify(other)) };
    await expect(send(settings(), run, wrong)).rejects.toMatchObject({
      kind: 'lasting',
      message: expect.stringContaining('401'),
    });
    const broken = { GSHEETS_SERVICE_ACCOUNT: 'not a key of 12345' };
    await expect(send(settings(), run, broken)).rejects.toThrow(/does not hold the key/);
    await expect(send(settings(), run, {})).rejects.toThrow(/GSHEETS_SERVICE_ACCOUNT/);
    await expect(send(settings({ spreadsheet_id: 'none' }))).rejects.toMatchObject({ kind: 'lasting' });
    google.refuse(503);
    await expect(send(settings(), run, { GSHEETS_ACCESS_TOKEN: google.token })).rejects.toMatchObject({
      kind: 'temporary',
    });
  });

  test('a sheet with something else in it is left alone', async () => {
    google.sheets.push({
      id: 'mine',
      title: 'mine',
      rows: [
        ['a', 'b'],
        [1, 2],
      ],
    });
    await expect(send(settings({ spreadsheet_id: 'mine' }))).rejects.toThrow(/holds something else/);
    expect(google.sheets[0]?.rows).toHaveLength(2);
  });
});

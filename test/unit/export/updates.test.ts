import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FileTarget } from '../../../src/contract/export';
import { tableOf } from '../../../src/export/csv';
import { exportRun, withExportedRun } from '../../../src/export/export-run';
import { changeOf, keyColumn } from '../../../src/export/rows';
import { homePaths } from '../../../src/home/paths';
import { fileSettings } from '../../support/export-settings';
import { writeFinishedRun, type FinishedRun } from '../../support/finished-run';
import { freshFolder } from '../../support/folders';

/** Another export of a run updates files that people have changed meanwhile. */

let root: Awaited<ReturnType<typeof freshFolder>>;
let run: FinishedRun;
beforeAll(async () => {
  root = await freshFolder('updated-exports');
  run = await writeFinishedRun(path.join(root.path, 'run'));
});
afterAll(() => root.dispose());

const out = (name: string): string => path.join(root.path, 'out', name);

const exported = (to: FileTarget, settings: Partial<typeof fileSettings>, outputDir = path.join(root.path, 'out')) =>
  withExportedRun(run, (one) =>
    exportRun(
      one,
      { to, settings: { ...fileSettings, ...settings } },
      {
        variable: () => undefined,
        outputDir,
        home: homePaths({ EVALSAGA_HOME: root.path }),
        signal: new AbortController().signal,
        progress: () => undefined,
      },
    ),
  );

/** Names of columns, and cells, that somebody has added. */
const added = ['Reviewer', '', 'acc_norm', ''];
const ofReviewer = ['Ann, "A."', 'unnamed', '', 'unnamed, too', 'beyond the header'];

test("people's cells in a CSV file stay: columns with a name and without, and scores that log_metrics no longer selects", async () => {
  const name = 'reviewed.csv';
  await exported('csv', { output_filename: name, log_metrics: ['acc'] });
  const before = tableOf(await readFile(out(name), 'utf8'));
  const [first = [], other = []] = before.rows;
  const text = [[...before.columns, ...added], [...first, ...ofReviewer], other]
    .map((cells) => cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(','))
    .join('\n');
  await writeFile(out(name), text);
  await exported('csv', { output_filename: name, log_metrics: ['exact'] });
  const after = tableOf(await readFile(out(name), 'utf8'));
  const width = first.length + ofReviewer.length;
  expect(after.columns.slice(0, width)).toEqual([...before.columns, ...added, '']);
  expect(after.columns[width]).toMatch(/^exact_match/);
  expect(after.rows[0]?.slice(0, width)).toEqual([...first, ...ofReviewer]);
  expect(after.rows[1]?.slice(0, other.length)).toEqual(other);
  expect(Number(after.rows[1]?.[width])).toBeGreaterThan(0);
});

test('a score that is no longer a number goes', () => {
  const columns = [keyColumn, 'acc'];
  const change = changeOf({ columns, rows: [['x.0', '0.5']] }, [{ [keyColumn]: 'x.0', acc: '', f1: '' }]);
  expect(change.changed.get(0)?.slice(0, 2)).toEqual(['x.0', '']);
  expect(change.columns).not.toContain('f1');
});

test("people's keys in a JSON file stay: keys of an entry, and scores that log_metrics no longer selects", async () => {
  const name = 'reviewed.json';
  const entryIn = (text: string): Record<string, unknown> => {
    const { benchmarks } = JSON.parse(text) as {
      benchmarks: Record<string, { models: Record<string, Record<string, unknown>[]> }>;
    };
    return benchmarks['hellaswag']?.models['org/model']?.[0] ?? {};
  };
  await exported('json', { output_filename: name });
  const before = await readFile(out(name), 'utf8');
  await writeFile(out(name), before.replace('"harness"', '"reviewer": "Ann", "harness"'));
  await exported('json', { output_filename: name, log_metrics: ['norm'] });
  expect(entryIn(await readFile(out(name), 'utf8'))).toEqual({ ...entryIn(before), reviewer: 'Ann' });
});

test('a file that a spreadsheet program has saved is read and written as it writes them', async () => {
  const name = 'saved.csv';
  await exported('csv', { output_filename: name });
  const before = await readFile(out(name), 'utf8');
  await writeFile(out(name), `\uFEFF${before}`);
  await exported('csv', { output_filename: name });
  expect(await readFile(out(name), 'utf8')).toBe(`\uFEFF${before}`);
});

test.each(['"Ann" said', '"no end', 'a "b"'])('a cell with stray quotes keeps its text: %s', (cell) => {
  expect(tableOf(`a,b,c\r\n1,${cell},2\r\n`).rows).toEqual([['1', cell, '2']]);
});

test.each(['csv', 'json', 'nel', 'eee'] as const)(
  'folders for %s can be read by others, as the umask has it',
  async (to) => {
    const before = process.umask(0o022);
    try {
      const outputDir = path.join(root.path, 'shared', to);
      const { where } = await exported(to, {}, outputDir);
      const places = [path.dirname(outputDir), outputDir, where];
      const modes = await Promise.all(places.map(async (place) => (await stat(place)).mode & 0o755));
      expect(modes.map((mode) => mode.toString(8))).toEqual(['755', '755', /\.\w+$/.test(where) ? '644' : '755']);
    } finally {
      process.umask(before);
    }
  },
);

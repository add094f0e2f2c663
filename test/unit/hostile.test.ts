import fc from 'fast-check';
import path from 'node:path';
import { endpointName, jobName, taskFolder, taskSlug } from '../../src/config/plan/resource-names';
import { pendingTask } from '../../src/contract/state';
import { harmlessLine } from '../../src/support/terminal-text';
import { localPath, withoutClashes } from '../../src/results/transfer/remote-tree';
import { boundedText } from '../../src/activities/wording';
import { cell, plainWords, runDetails, taskDetails } from '../../src/contract/details';
import { wholeSnapshot } from '../../src/contract/sent-snapshot';
import { fitRun, jsonBytes, maxSnapshotBytes } from '../../src/workflows/fitting';
import { snapshotOf, taskOf } from '../support/snapshots';
import { holds } from '../support/fuzz';

/** Untrusted names and texts never become paths, code or markup. */

const nasty = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 600 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        '../',
        '/',
        '\\',
        '..',
        '.',
        '\0',
        '\n',
        '\r',
        '|',
        '`',
        '$(id)',
        '"',
        "'",
        ';',
        '<img src=x onerror=alert(1)>',
        '[a](javascript:b)',
        '\u001b[2J',
        '\u202e',
        '*',
        '_',
        '&',
        '李',
        '🚀',
        ' ',
        'a',
        '-',
      ),
    )
    .map((parts) => parts.join('')),
  fc.constantFrom('../../etc/passwd', '', '-rf', '--help', 'con', 'x'.repeat(500), 'ÄÖÜ'.repeat(200)),
);
const invocation = fc.stringMatching(/^[0-9a-f]{16}$/);
const index = fc.integer({ min: 0, max: 999 });

test('resource names are valid, short and unique, whatever the names of task and deployment', () => {
  holds(
    fc.property(nasty, nasty, index, invocation, (task, prefix, position, id) => {
      const parts = { slug: taskSlug(task), index: position, invocation: id };
      for (const name of [endpointName(prefix, parts), jobName(parts)]) {
        expect(name).toMatch(/^[a-z][a-z0-9-]*[a-z0-9]$/);
        expect(name.length).toBeLessThanOrEqual(36);
        expect(name).toContain(`-${position}-${id.slice(0, 8)}`);
      }
      expect(taskFolder(parts)).toMatch(/^\d+-[a-z0-9-]{1,14}$/);
    }),
  );
});

test('two long names with the same beginning get different slugs', () => {
  const head = 'a_very_long_benchmark_name_';
  expect(taskSlug(`${head}one`)).not.toBe(taskSlug(`${head}two`));
});

test('a result file gets a path inside its folder, or none', () => {
  const target = '/results/0-task';
  holds(
    fc.property(nasty, (name) => {
      const relative = localPath(name);
      if (relative === undefined) return;
      const full = path.resolve(target, relative);
      expect(full.startsWith(`${target}/`)).toBe(true);
      expect(relative).not.toMatch(/[\u0000-\u001f\\]/);
      for (const part of relative.split('/')) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(255);
    }),
  );
});

test('long names stay distinct and keep their extension; names that clash on this file system and overlong paths are left out', () => {
  const [one, two] = ['a', 'b'].map((end) => localPath(`${'\u0001'.repeat(200)}${end}.jsonl`));
  expect(one).not.toBe(two);
  expect(one).toMatch(/~[0-9a-f]{12}\.jsonl$/);
  const files = ['Dir/a', 'dir/A'].map((local) => ({ local }));
  expect(withoutClashes(files, false)).toEqual({ files, clashes: [] });
  const reason = 'another file has this name here';
  expect(withoutClashes(files, true)).toEqual({ files: [files[0]], clashes: [{ path: 'dir/A', reason }] });
  expect(withoutClashes([{ local: 'd/'.repeat(2_000) }]).clashes).toMatchObject([{ reason: 'its path is too long' }]);
});

test('a cell is one line of plain text: its content adds no column, tag, link, code or entity', () => {
  holds(
    fc.property(nasty, (text) => {
      const shown = cell(text);
      expect(shown).not.toMatch(/[\n\r|<>`*[\]()\\\u0000-\u001f\u202a-\u202e]/);
      // Every entity is complete and was written by `cell`.
      expect(shown.replace(/&#\d{2,3};/g, '')).not.toMatch(/[&#]/);
    }),
  );
});

test('details always have one row per task and seven columns', () => {
  holds(
    fc.property(nasty, nasty, nasty, (name, message, model) => {
      const task = taskOf({ name, message, endpoint: name, job: message, error: { type: 'X', message } });
      const rows = runDetails(snapshotOf([task, task], { model }), 0)
        .split('\n')
        .slice(2);
      expect(rows).toHaveLength(4);
      for (const row of rows) expect(row.split('|')).toHaveLength(9);
      const lines = taskDetails(task).split('\n');
      for (const line of lines) expect(line.split('|')).toHaveLength(4);
    }),
  );
});

test('a summary is short plain text, whatever the input', () => {
  holds(
    fc.property(nasty, (text) => {
      const words = plainWords(text);
      expect(Buffer.byteLength(words)).toBeLessThanOrEqual(400);
      expect(words).not.toMatch(/[\n<>`*[\]()|\u001b\u202e]/);
    }),
  );
});

test('a message is limited in length, says how much is missing, and never splits a character', () => {
  holds(
    fc.property(nasty, fc.integer({ min: 100, max: 2_000 }), (text, max) => {
      const long = text.repeat(20);
      const bounded = boundedText(long, max);
      expect(bounded.length).toBeLessThanOrEqual(max + 40);
      expect(bounded).not.toMatch(/\p{Surrogate}/u);
      if (long.length > max) expect(bounded).toMatch(/\[… \d+ characters …\]/);
    }),
  );
  expect(harmlessLine(boundedText('a\u001b[2Jb'))).toBe('ab');
});

test.each([1, 10, 100, 1_000])('a run of %s tasks with the longest texts fits into one payload', (count) => {
  const metrics = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`${'metric'.repeat(8)}_${at}`, at / 7]));
  const text = '李'.repeat(2_000);
  const left = [{ kind: 'endpoint', name: 'e'.repeat(36), reason: text }] as const;
  const tasks = Array.from({ length: count }, (_, position) => ({
    ...pendingTask({ index: position, name: 'x'.repeat(100), endpointName: 'e'.repeat(36) }),
    message: text,
    error: { type: 'EndpointFailed', message: text },
    outputDir: `/home/user/results/0123456789abcdef/${position}-task`,
    metrics,
    left,
  }));
  const fitted = fitRun(snapshotOf(tasks));
  expect(jsonBytes(fitted)).toBeLessThanOrEqual(maxSnapshotBytes);
  expect(Buffer.byteLength(JSON.stringify(fitted))).toBeLessThanOrEqual(jsonBytes(fitted));
  const { tasks: shown } = wholeSnapshot(fitted);
  expect(shown).toHaveLength(count);
  expect(shown.at(-1)).toMatchObject({ index: count - 1, error: { type: 'EndpointFailed' } });
});

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compareRuns } from '../../../src/compare/compare-runs';
import { freshFolder } from '../../support/folders';
import { writeRun } from '../../support/harness-results';

let root: Awaited<ReturnType<typeof freshFolder>>;
beforeEach(async () => void (root = await freshFolder('compare-models')));
afterEach(() => root.dispose());

const at = (...names: string[]): string => path.join(root.path, ...names);

/** Scores of 200 samples, of which so many are right. */
const samples = (right: number): number[] => Array.from({ length: 200 }, (_, id) => (id < right ? 1 : 0));

test('two models of one run are compared task by task, and a model that it lacks is named', async () => {
  const { base, candidate } = { base: samples(160), candidate: samples(100) };
  writeRun(at('run'), {
    tasks: [
      { name: 'piqa', values: { acc: base } },
      { name: 'piqa', values: { acc: candidate } },
    ],
  });
  const file = at('run', 'run.json');
  const record = JSON.parse(readFileSync(file, 'utf8')) as { tasks: { name: string; model?: string }[] };
  for (const [index, model] of ['base', 'tuned'].entries())
    Object.assign(record.tasks[index] ?? {}, { model, name: `${model}/piqa` });
  writeFileSync(file, JSON.stringify(record));
  const of = (model: string) => ({ folder: at('run'), model });
  const found = await compareRuns({ base: of('base'), candidate: of('tuned') });
  expect(found.tasks.map(({ name }) => name)).toEqual(['piqa']);
  expect(found.verdict).toBe('regression');
  expect([found.base.model, found.candidate.model]).toEqual(['base', 'tuned']);
  await expect(compareRuns({ base: of('base'), candidate: of('other') })).rejects.toThrow(
    /has no model named other; it has: base, tuned/,
  );
});

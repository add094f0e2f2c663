import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { historiesFolder, recordedHistories, type Recorded } from './history-file';
import { runPlan } from '../support/plans';
import { courses } from './scenarios';

/** Runs that were begun by an earlier build must go on with this one: see docs/changing-workflows.md. */

const codePath =
  process.env['EVALSAGA_TEST_BUNDLE'] ?? path.resolve(__dirname, '..', '..', 'dist', 'workflow-bundle.js');
const recorded = recordedHistories();

/** Errors by the history's name. */
async function replay(histories: readonly Recorded[]): Promise<Map<string, string>> {
  const list = histories.map(({ id, history }) => ({ workflowId: id, history }));
  const names = new Map(histories.map(({ id, name }) => [id, name]));
  const errors = new Map<string, string>();
  let replayed = 0;
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: { codePath } }, list)) {
    replayed += 1;
    if (error) errors.set(names.get(workflowId) ?? workflowId, error.message);
  }
  expect(replayed).toBe(histories.length);
  return errors;
}

beforeAll(() => Runtime.install({ logger: new DefaultLogger('ERROR') }));

test('every course is recorded, for the run and each of its tasks', () => {
  const expected = courses.flatMap(({ name, plan, swept, isBatched, maxEndpoints, adapt, savesRunOnly }) => [
    `${name}.run`,
    ...(isBatched && !savesRunOnly ? [`${name}.batch`] : []),
    ...(maxEndpoints === undefined ? [] : [`${name}.quota`]),
    ...(adapt?.(runPlan({ outputRoot: '/results', ...plan })).sharedEndpoints ? [`${name}.shared`] : []),
    ...(swept ? [`${name}.sweep`] : []),
    ...(savesRunOnly ? [] : (plan.tasks ?? [])).map((_, index) => `${name}.task-${index}`),
  ]);
  expect(recorded.map(({ name }) => name)).toEqual(expected.sort());
});

test('the workflow code of today follows every recorded history', async () => {
  expect(Object.fromEntries(await replay(recorded))).toEqual({});
});

test('a history that another code has written is noticed', async () => {
  const [first] = recorded.filter(({ name }) => name === 'success-all-ready.task-0');
  if (!first) throw new Error('not recorded');
  const events = (first.history.events ?? []).map((event) =>
    event.activityTaskScheduledEventAttributes?.activityType?.name === 'createEndpoint'
      ? {
          ...event,
          activityTaskScheduledEventAttributes: {
            ...event.activityTaskScheduledEventAttributes,
            activityType: { name: 'createSomethingElse' },
          },
        }
      : event,
  );
  const errors = await replay([{ ...first, history: { events } }]);
  expect(errors.get(first.name)).toMatch(/TMPRL1100|[Nn]ondeterminism/);
});

test('the recordings are small and of no machine', () => {
  const manyTasks = new Set(courses.flatMap(({ name, savesRunOnly }) => (savesRunOnly ? [`${name}.run`] : [])));
  const ofMachine = /\/tmp\/|\/root\/|127\.0\.0\.1:(?!1\b)\d|\b\d+@\w/;
  for (const { name } of recorded) {
    const text = readFileSync(path.join(historiesFolder, `${name}.json`), 'utf8');
    expect(text.length).toBeLessThan(manyTasks.has(name) ? 350_000 : 150_000);
    const payloads = [...text.matchAll(/"data":"([A-Za-z0-9+/=]*)"/g)].map(([, data = '']) =>
      Buffer.from(data, 'base64').toString('utf8'),
    );
    const found = [text, ...payloads].flatMap((part) => ofMachine.exec(part)?.[0] ?? []);
    expect({ name, found }).toEqual({ name, found: [] });
  }
});

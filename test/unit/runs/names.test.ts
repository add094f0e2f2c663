import { runAddress } from '../../../src/cli/session';
import { isRunName, runNameFrom } from '../../../src/contract/run-name';
import { AmbiguousRun, RunNotFound, type RunSummary } from '../../../src/client';
import { chooseByName } from '../../../src/runs/resolve';
import { fitsFilter } from '../../../src/runs/run-filter';

describe('names of runs', () => {
  test.each(['nightly', 'llama-3.1-8b', 'Run_7', 'x', 'a'.repeat(62) + 'z'])('%s can be one', (name) =>
    expect([isRunName(name), runAddress(name)]).toEqual([true, { prefix: name, index: undefined }]),
  );

  test.each(['', 'beef', '3f2a.x', 'FACE', 'llama-3.1', '-x', 'a b', 'x'.repeat(64), 'é'])(
    '%j can not: it is empty, has other characters, or could be the id of a run or task',
    (name) => expect(isRunName(name)).toBe(false),
  );

  test('with a number behind it, the address of a task', () => {
    expect(runAddress('nightly.2')).toEqual({ prefix: 'nightly', index: 2 });
    expect(runAddress('llama-3.1-8b.0')).toEqual({ prefix: 'llama-3.1-8b', index: 0 });
    expect(runAddress('eval-3F2A.1')).toEqual({ prefix: '3f2a', index: 1 });
    expect(() => runAddress('3f2a.x')).toThrow('neither');
  });

  test('a label becomes a name where it can', () => {
    expect([runNameFrom('Llama 3, nightly!'), runNameFrom('beef'), runNameFrom('…')]).toEqual([
      'Llama-3-nightly-',
      undefined,
      undefined,
    ]);
  });
});

describe('a run by its name', () => {
  const runs = ['nightly', 'nightly-2', 'weekly', 'weekly'].map((name, index) => ({ invocation: `${index}`, name }));

  test('a whole name wins over the beginning of another; a unique beginning is enough', () => {
    expect(chooseByName('nightly', runs)).toBe('0');
    expect(chooseByName('nightly-', runs)).toBe('1');
  });

  test.each([
    ['night', '0 (nightly), 1 (nightly-2). Give more of the name, or an id.'],
    ['weekly', '2, 3. Give the id of one.'],
  ])('%s is ambiguous, and says of which', (text, message) => {
    expect(() => chooseByName(text, runs)).toThrow(AmbiguousRun);
    expect(() => chooseByName(text, runs)).toThrow(message);
  });

  test('nothing fits', () => expect(() => chooseByName('daily', runs)).toThrow(RunNotFound));
});

test('filters of a list: each narrows it', () => {
  const run = (change: Partial<RunSummary>): RunSummary => ({
    invocation: '0123456789abcdef',
    status: 'completed',
    model: 'meta-llama/Llama-3.1-8B',
    owner: 'ann',
    name: 'nightly',
    tags: ['stage=dev', 'team=search'],
    outcome: 'succeeded',
    startedAt: new Date('2026-01-02T00:00:00Z'),
    closedAt: null,
    taskQueue: 'evalsaga',
    ...change,
  });
  const runs = {
    usual: run({}),
    failed: run({ status: 'failed', outcome: 'failed' }),
    open: run({ status: 'running', outcome: null }),
    old: run({ startedAt: new Date('2025-01-02T00:00:00Z') }),
    other: run({ owner: 'joann', model: 'Qwen/Qwen3', name: null, tags: ['team=other'] }),
  };
  const fitting = (filter: Parameters<typeof fitsFilter>[0]) =>
    Object.entries(runs).flatMap(([key, each]) => (fitsFilter(filter)(each) ? [key] : []));
  expect(fitting({})).toHaveLength(5);
  expect(fitting({ since: new Date('2026-01-01T00:00:00Z') })).not.toContain('old');
  expect(fitting({ status: 'failed' })).toEqual(['failed']);
  expect(fitting({ status: 'running' })).toEqual(['open']);
  expect(fitting({ model: 'llama' })).not.toContain('other');
  expect(fitting({ model: 'qwen*' })).toEqual(['other']);
  expect(fitting({ model: 'llama*' })).toEqual([]);
  // In full: ann is not joann.
  expect(fitting({ owner: 'ann' })).not.toContain('other');
  expect(fitting({ owner: 'jo*' })).toEqual(['other']);
  expect(fitting({ name: 'night' })).not.toContain('other');
  expect(fitting({ tags: ['team'] })).toHaveLength(5);
  expect(fitting({ tags: ['team=other'] })).toEqual(['other']);
  expect(fitting({ tags: ['team=search', 'stage=dev'] })).toHaveLength(4);
});

import { reidentified } from '../../../src/runs/reidentify';
import { changedKeys, invocationFor } from '../../../src/runs/same-run';
import { runPlan } from '../../support/plans';

test('an id is kept; a name has one id per installation', () => {
  expect(invocationFor('0123456789abcdef', 'home:x')).toBe('0123456789abcdef');
  const id = invocationFor('nightly', 'home:x');
  expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(invocationFor('nightly', 'home:x')).toBe(id);
  expect(invocationFor('nightly', 'home:y')).not.toBe(id);
});

test('a plan under another id has nothing of the old one', () => {
  const plan = runPlan({ outputRoot: '/results', invocation: 'aaaaaaaa11111111', tasks: ['hellaswag', 'mmlu'] });
  const other = reidentified(plan, 'bbbbbbbb22222222');
  expect(JSON.stringify(other)).not.toContain('aaaaaaaa');
  expect(other).toEqual(
    runPlan({ outputRoot: '/results', invocation: 'bbbbbbbb22222222', tasks: ['hellaswag', 'mmlu'] }),
  );
});

test('what differs between two configs is named by key', () => {
  const before = 'a: 1\nb: {c: [x, y], d: old}\n';
  expect(changedKeys(before, before)).toEqual([]);
  expect(changedKeys(before, 'a: 1\nb: {c: [x], d: new}\ne: 2\n')).toEqual([
    'b.c.1: "y", now not set',
    'b.d: "old", now "new"',
    'e: not set, now 2',
  ]);
  const many = Array.from({ length: 8 }, (_, at) => `k${at}: 1`).join('\n');
  expect(changedKeys(many, many.replaceAll(': 1', ': 2')).at(-1)).toBe('and 3 more');
});

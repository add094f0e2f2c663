import { allCases, coursesFor, partOf, quickEvents, sample } from './cases';
import type { Answer } from './gateway';
import { LaggingView } from './lag';
import { pointsOf, taskOf } from './points';
import { resultTables } from './table';
import type { Outcome } from './outcome';
import { worldsOf } from './worlds';

const point = (nth: number) => ({ border: 'platform', method: 'GET', shape: '/jobs', nth }) as const;
const recordings = coursesFor([]).map((one) => ({
  ...one,
  points: [1, 2, 3].map((nth) => ({ border: 'platform', method: 'POST', shape: '/jobs', nth }) as const),
}));
const all = allCases(recordings, { eventsAt: quickEvents, worldsIn: worldsOf });
const idsOf = (cases: readonly { readonly id: string }[]): string[] => cases.map(({ id }) => id);

test('a seed chooses the same cases whatever their order, and another seed chooses others', () => {
  const chosen = idsOf(sample(all, { count: 50, seed: 7 }));
  expect(idsOf(sample([...all].reverse(), { count: 50, seed: 7 }))).toEqual(chosen);
  expect(idsOf(sample(all, { count: 50, seed: 8 }))).not.toEqual(chosen);
});

test('the parts of a sample contain each of its cases once', () => {
  const whole = idsOf(sample(all, { count: 50, seed: 7 }));
  const parts = [1, 2, 3].flatMap((k) => partOf(whole, { k, n: 3 }));
  expect(parts).toHaveLength(50);
  expect(parts.sort()).toEqual(whole.sort());
});

test('a filter by course records that course where it exists, and every course is in the sample', () => {
  expect(coursesFor(['judged |']).map(({ setup, course }) => [setup, course.name])).toEqual([
    ['library', 'judged'],
    ['worker', 'judged'],
  ]);
  expect(coursesFor(['retried | client']).map(({ setup }) => setup)).toEqual(['command']);
  const courses = new Set(sample(all, { count: 200, seed: 7 }).map(({ course }) => course.name));
  expect([...courses].sort()).toEqual([
    'cancelled',
    'early',
    'existing',
    'failing',
    'judged',
    'released',
    'renewed',
    'retried',
    'shared',
    'success',
  ]);
});

test('a request is told to be about a task or a shared endpoint', () => {
  const names = { invocation: '0123456789abcdef' };
  expect(taskOf('/deployments/vllm-piqa-2-01234567', names)).toBe(2);
  expect(taskOf('/jobs/eval-piqa-2-01234567-3', names)).toBe(2);
  expect(taskOf('/deployments/vllm-judge-e0-01234567', names)).toBe(-1);
  expect(taskOf('eval-0123456789abcdef.e1', names)).toBe(-2);
  expect(taskOf('/deployments', names)).toBeUndefined();
});

test('repeated reads are disturbed only where they came in every recording, without the last third', () => {
  const log = (count: number) => Array.from({ length: count }, (_, at) => point(at + 1));
  expect(pointsOf([log(9), log(6), log(12)]).map(({ nth }) => nth)).toEqual([1, 2, 3, 4]);
});

const answer = (value: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(value)),
});
const item = { metadata: { id: 'a', name: 'a' } };
const valueOf = ({ body }: Answer): unknown => JSON.parse(body.toString('utf8'));

test('a lagging listing lacks new resources and shows removed ones; a read shows the truth', () => {
  const lagging = new LaggingView({ of: 'listings', ms: 60_000 });
  lagging.shown('POST', '/deployments', answer(item, 201));
  expect(valueOf(lagging.shown('GET', '/deployments', answer([item])))).toEqual([]);
  expect(lagging.shown('GET', '/deployments/a', answer(item)).status).toBe(200);
  expect(valueOf(lagging.shown('GET', '/deployments', answer([])))).toEqual([item]);
  expect(valueOf(lagging.shown('GET', '/jobs?q=a', answer({ jobs: [], total: 0 })))).toEqual({ jobs: [], total: 0 });
});

test('a lagging read lacks new resources and shows removed ones; the listing shows the truth', () => {
  const lagging = new LaggingView({ of: 'gets', ms: 60_000 });
  lagging.shown('POST', '/jobs', answer(item, 201));
  expect(lagging.shown('GET', '/jobs/a', answer(item)).status).toBe(404);
  expect(valueOf(lagging.shown('GET', '/jobs', answer({ jobs: [item], total: 1 })))).toMatchObject({ jobs: [item] });
  expect(lagging.shown('GET', '/jobs/a', answer({}, 404)).status).toBe(200);
  expect(lagging.shown('GET', '/jobs/b', answer({}, 404)).status).toBe(404);
});

test('the tables count cases that held, violations, and cases not reached', () => {
  const outcome: Outcome = {
    id: 'released | platform GET /jobs #1 | cut | cancel',
    point: 'platform GET /jobs',
    fault: 'cut',
    event: 'cancel',
    world: 'plain',
    violations: [],
    reached: true,
    swept: false,
    ms: 1,
  };
  const text = resultTables([outcome, { ...outcome, violations: ['left'] }, { ...outcome, reached: false }]);
  expect(text).toContain('| platform, GET | 3 | 1 | 1 | 1 |');
  expect(text).toContain('| released | 3 | 1 | 1 | 1 |');
  expect(text).toContain('3 cases: 1 held, 1 violations, 1 not reached (33.3 %)');
});

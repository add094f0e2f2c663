import { findingOf, listedOnce } from '../../../src/activities/quota-findings';
import type { OwnerState } from '../../../src/cleanup/orphans';
import { sharedIndex } from '../../../src/contract/identity';
import type { LookedForRun } from '../../../src/contract/inputs/run';

/** When the places of a run come back that did not give them back itself. */

const invocation = '0123456789abcdef';
const platform = { kind: 'local', workspace: 'local' } as const;
const run: LookedForRun = { invocation, tasks: 2, shared: 1, platform, held: 3, lost: [] };

/** With the endpoints of these names on the platform, and one of another run. */
function look(change: Partial<LookedForRun>, state: OwnerState, names: readonly string[] = []) {
  const asked: number[] = [];
  const owners = {
    of: (_: string, indices: readonly number[]) => {
      asked.push(...indices);
      return Promise.resolve(state);
    },
  };
  const there = [{ name: 'other', invocation: 'fedcba9876543210' }, ...names.map((name) => ({ name, invocation }))];
  return { asked, found: findingOf({ ...run, ...change }, owners, () => Promise.resolve(there)) };
}

const live = { kind: 'live' } as const;
const closedFor = (seconds: number) => ({ kind: 'closed', closedAt: Date.now() - seconds * 1000 }) as const;
const over = (endpoints: number) => ({ kind: 'over', invocation, endpoints });

test('a run that goes on keeps its places; of those that it lost, it hears which are gone', async () => {
  const { found, asked } = look({}, live, ['a']);
  expect(await found).toBeUndefined();
  expect(asked).toEqual([0, 1, sharedIndex(0)]);
  expect(await look({ lost: ['a'] }, live, ['a']).found).toBeUndefined();
  expect(await look({ lost: ['a', 'b'] }, live, ['a']).found).toEqual({ kind: 'gone', invocation, names: ['b'] });
});

test('a run that is over has what the platform still lists', async () => {
  expect(await look({}, closedFor(1)).found).toEqual(over(0));
  expect(await look({}, { kind: 'unknown' }, ['a', 'b']).found).toEqual(over(2));
  // It has said so itself.
  const said = { isOver: true, held: 1 } as const;
  expect(await look(said, live, ['a']).found).toBeUndefined();
  expect(await look(said, live).found).toEqual(over(0));
});

test('while the last request of a terminated task may be in flight, nothing comes back', async () => {
  expect(await look({}, { ...closedFor(60), isForced: true }).found).toBeUndefined();
  expect(await look({}, { ...closedFor(600), isForced: true }).found).toEqual(over(0));
});

test('a platform that does not answer takes nothing back', async () => {
  const owners = { of: () => Promise.resolve(closedFor(600)) };
  await expect(findingOf(run, owners, () => Promise.reject(new Error('away')))).rejects.toThrow('away');
});

test('a platform that is silent does not keep the others from being heard, and each is asked once', async () => {
  const asked: string[] = [];
  const endpoints = listedOnce({ ms: 20 }, ({ workspace }) => {
    asked.push(workspace);
    return workspace === 'silent' ? new Promise(() => undefined) : Promise.resolve([]);
  });
  const owners = { of: () => Promise.resolve(closedFor(600)) };
  const on = (workspace: string) => findingOf({ ...run, platform: { kind: 'local', workspace } }, owners, endpoints);
  await expect(Promise.allSettled([on('silent'), on('local'), on('silent'), on('local')])).resolves.toMatchObject([
    { status: 'rejected', reason: { name: 'TimeoutError' } },
    { status: 'fulfilled', value: over(0) },
    { status: 'rejected', reason: { name: 'TimeoutError' } },
    { status: 'fulfilled', value: over(0) },
  ]);
  expect(asked).toEqual(['silent', 'local']);
});

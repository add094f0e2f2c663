import {
  grantOf,
  heldBy,
  inUse,
  maxEndpointsIn,
  noClaims,
  outstanding,
  waitWords,
  withClaim,
  withFindings,
  type Claim,
  type QuotaState,
} from '../../../src/contract/endpoint-quota';
import { endpointsTogether } from '../../../src/contract/endpoint-needs';
import { withGrants } from '../../../src/contract/quota-grants';
import { runPlan } from '../../support/plans';

interface Wish extends Partial<Claim> {
  /** Endpoints that it wants together; default: it takes them one by one. */
  readonly whole?: number;
}

let version = 0;

/** What a run says that wants so many endpoints together, or as many as it gets. */
const claim = (invocation: string, { whole, ...change }: Wish = {}): Claim => ({
  ...{ invocation, runId: `${invocation}-1`, version: (version += 1), tasks: 4, shared: 0 },
  platform: { kind: 'local', workspace: 'local' },
  ...{ wanted: whole ?? 0, granted: 0, returned: 0, lost: [] },
  ...(whole === undefined ? { needs: 1, keeps: 0 } : { needs: whole, keeps: null }),
  ...change,
});

const after = (state: QuotaState, ...claims: readonly Claim[]): QuotaState =>
  claims.reduce<QuotaState>((before, one) => withGrants(withClaim(before, one)), state);

/** The state after each claim and its grants. */
const from = (limit: number, ...claims: readonly Claim[]): QuotaState => after({ ...noClaims, limit }, ...claims);

const held = (state: QuotaState): Record<string, number> =>
  Object.fromEntries(state.accounts.map((account) => [account.invocation, heldBy(account)]));

const asked = (state: QuotaState): Record<string, number> =>
  Object.fromEntries(state.accounts.map(({ invocation, due, returned }) => [invocation, Math.max(0, due - returned)]));

test('runs get endpoints in their order; one that needs many is not passed by small ones', () => {
  const full = from(4, claim('a', { whole: 3 }), claim('b', { whole: 3 }), claim('c', { whole: 1 }));
  expect(held(full)).toEqual({ a: 3, b: 0, c: 0 });
  expect(grantOf(full, 'c')).toMatchObject({ granted: 0, limit: 4, inUse: 3, ahead: 1, stranded: 0 });
  const freed = after(full, claim('a', { whole: 3, granted: 3, returned: 2, needs: 1 }));
  expect(held(freed)).toEqual({ a: 1, b: 3, c: 0 });
  const over = after(freed, claim('a', { granted: 3, returned: 3, isOver: true }));
  expect(held(over)).toEqual({ b: 3, c: 1 });
  expect(inUse(over)).toBe(4);
});

test('shared endpoints come with those of the first task, or not at all', () => {
  const judged = { wanted: 5, needs: 3, keeps: 3 };
  const state = from(4, claim('a', { whole: 2 }), claim('b', judged), claim('c', { whole: 1 }));
  expect(held(state)).toEqual({ a: 2, b: 0, c: 0 });
  const freed = after(state, claim('a', { granted: 2, returned: 1, wanted: 2, needs: 1, keeps: null }));
  expect(held(freed)).toEqual({ a: 1, b: 3, c: 0 });
});

test('what can be used one by one comes one by one, and goes back as others wait', () => {
  const alone = from(4, claim('long', { wanted: 100 }));
  expect(held(alone)).toEqual({ long: 4 });
  const small = after(alone, claim('small', { whole: 2 }));
  expect(asked(small)).toEqual({ long: 2, small: 0 });
  // It is asked once, and goes behind who waits.
  const first = after(small, claim('long', { wanted: 101, granted: 4, returned: 1 }));
  expect(asked(first)).toEqual({ long: 1, small: 0 });
  expect(held(first)).toEqual({ long: 3, small: 0 });
  const second = after(first, claim('long', { wanted: 102, granted: 4, returned: 2 }));
  expect(held(second)).toEqual({ long: 2, small: 2 });
  // The other way round, nobody is left without.
  const over = after(second, claim('small', { granted: 2, returned: 2, isOver: true }));
  expect(held(over)).toEqual({ long: 4 });
});

test('runs that take them one by one have equal shares in the end', () => {
  let state = from(6, claim('a', { wanted: 100 }), claim('b', { wanted: 100 }));
  let granted = 6;
  for (let returned = 0; (asked(state)['a'] ?? 0) > 0;) {
    returned += 1;
    granted = state.accounts.find(({ invocation }) => invocation === 'a')?.granted ?? 0;
    state = after(state, claim('a', { wanted: 100 + returned, granted, returned }));
  }
  expect(held(state)).toEqual({ a: 3, b: 3 });
});

test('messages may be repeated and overtake each other', () => {
  const one = claim('a', { whole: 3 });
  const full = from(4, one, one);
  expect(inUse(full)).toBe(3);
  const early = claim('a', { whole: 3, granted: 3, returned: 1, needs: 2 });
  const returned = claim('a', { whole: 3, granted: 3, returned: 2, needs: 1 });
  expect(inUse(after(full, returned, early))).toBe(1);
  // The quota's workflow was terminated, and begins with what runs tell.
  expect(inUse(from(4, returned))).toBe(1);
  const over = claim('a', { granted: 3, returned: 3, isOver: true });
  expect(after(full, over, early).accounts).toEqual([]);
});

test('a run that was cancelled while it waited waits no more, and one that was reset keeps its places', () => {
  const waiting = from(2, claim('a', { whole: 2 }), claim('b', { whole: 2 }));
  expect(held(after(waiting, claim('b', { isOver: true })))).toEqual({ a: 2 });
  const reset = after(waiting, claim('a', { runId: 'a-2', whole: 2 }));
  expect(held(reset)).toEqual({ a: 2, b: 0 });
  // What the earlier execution says late does not end the new one.
  expect(held(after(reset, claim('a', { isOver: true })))).toEqual({ a: 2, b: 0 });
});

test('who can never have what it needs, since the limit was lowered, holds up nobody', () => {
  const waiting = from(4, claim('a', { whole: 4 }), claim('b', { whole: 4 }), claim('c', { whole: 1 }));
  const over = withFindings({ ...waiting, limit: 2 }, [{ kind: 'over', invocation: 'a', endpoints: 0 }]);
  const lowered = withGrants(over);
  expect(held(lowered)).toEqual({ b: 0, c: 1 });
  const grant = grantOf(lowered, 'b');
  expect(grant && waitWords(grant, { least: 4, held: 0 })).toMatch(
    /4 endpoints together, but at most 2 are allowed now/,
  );
  expect(held(withGrants({ ...waiting, limit: null }))).toEqual({ a: 4, b: 4, c: 1 });
});

test('what was left behind counts until it is gone', () => {
  const full = from(4, claim('a', { whole: 4 }), claim('b', { whole: 1 }));
  const over = after(full, claim('a', { granted: 4, returned: 2, lost: ['x', 'y'], isOver: true }));
  expect(held(over)).toEqual({ a: 2, b: 1 });
  expect(grantOf(over, 'b')).toMatchObject({ stranded: 2, inUse: 3 });
  const one = withGrants(withFindings(over, [{ kind: 'over', invocation: 'a', endpoints: 1 }]));
  expect(held(one)).toEqual({ a: 1, b: 1 });
  expect(held(withFindings(one, [{ kind: 'over', invocation: 'a', endpoints: 0 }]))).toEqual({ b: 1 });
  // An open run hears of it.
  const open = after(full, claim('a', { whole: 4, granted: 4, returned: 2, needs: 2, lost: ['x', 'y'] }));
  const found = withFindings(open, [{ kind: 'gone', invocation: 'a', names: ['x'] }]);
  expect(grantOf(found, 'a')).toMatchObject({ gone: ['x'], stranded: 1 });
  expect(outstanding(found.accounts[0] ?? claim('a'))).toBe(0);
});

test('says why a run waits', () => {
  const grant = { limit: 4, inUse: 3, ahead: 0, stranded: 0 };
  expect(waitWords(grant, { least: 2, held: 0 })).toBe(
    'waits for 2 endpoints: 3 of at most 4 are in use (EVALSAGA_MAX_ENDPOINTS); it is the next run',
  );
  expect(waitWords({ ...grant, inUse: 4, ahead: 2, stranded: 1 }, { least: 1, held: 0 })).toBe(
    'waits for an endpoint: 4 of at most 4 are in use (EVALSAGA_MAX_ENDPOINTS); 2 runs are before it; 1 was left behind by a teardown (of a closed run: evalsaga sweep removes them)',
  );
});

test('a run needs what its tasks share together with a wave or a first task', () => {
  const plan = runPlan({ outputRoot: '/nowhere', tasks: ['a', 'b', 'c', 'd', 'e'] });
  if (plan.endpoint.kind !== 'dedicated') throw new Error('the plan deploys endpoints');
  const judge = { name: 'judge', endpointName: 'judge-e0', endpoint: plan.endpoint, folder: 'judge' };
  const sharedEndpoints = [judge, { ...judge, name: 'other', endpointName: null }];
  expect(endpointsTogether(plan)).toBe(5);
  expect(endpointsTogether({ ...plan, sharedEndpoints })).toBe(6);
  expect(endpointsTogether({ ...plan, sharedEndpoints, maxParallelEndpoints: 2 })).toBe(3);
  expect(endpointsTogether({ ...plan, sharedEndpoints, startPolicy: 'as_ready' })).toBe(2);
  const servedByOthers = plan.tasks.map((task) => ({ ...task, endpointName: null }));
  expect(endpointsTogether({ ...plan, sharedEndpoints, tasks: servedByOthers })).toBe(1);
});

test('the limit is a whole number', () => {
  expect([undefined, '', '8'].map((text) => maxEndpointsIn({ EVALSAGA_MAX_ENDPOINTS: text }))).toEqual([
    undefined,
    undefined,
    8,
  ]);
  for (const text of ['0', '-1', '1.5', 'many'])
    expect(() => maxEndpointsIn({ EVALSAGA_MAX_ENDPOINTS: text })).toThrow(
      /EVALSAGA_MAX_ENDPOINTS takes a whole number/,
    );
});

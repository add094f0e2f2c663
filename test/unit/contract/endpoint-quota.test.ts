import {
  grantOf,
  inUse,
  maxEndpointsIn,
  noClaims,
  waitWords,
  withClaim,
  withGrants,
  withoutRuns,
  type Claim,
  type QuotaState,
} from '../../../src/contract/endpoint-quota';

const claim = (invocation: string, change: Partial<Claim> = {}): Claim => ({
  ...{ invocation, runId: `${invocation}-1`, tasks: 4, wanted: 0, granted: 0, returned: 0, isWhole: true },
  ...change,
});

/** The state after each claim and its grants. */
const after = (limit: number, ...claims: readonly Claim[]): QuotaState =>
  claims.reduce<QuotaState>((state, one) => withGrants(withClaim(state, one)), { ...noClaims, limit });

const granted = (state: QuotaState): Record<string, number> =>
  Object.fromEntries(state.accounts.map((account) => [account.invocation, account.granted]));

test('runs get endpoints in their order; one that needs many is not passed by small ones', () => {
  const full = after(4, claim('a', { wanted: 3 }), claim('b', { wanted: 3 }), claim('c', { wanted: 1 }));
  expect(granted(full)).toEqual({ a: 3, b: 0, c: 0 });
  expect(grantOf(full, 'c')).toEqual({ granted: 0, limit: 4, inUse: 3, ahead: 1 });
  const freed = withGrants(withClaim(full, claim('a', { wanted: 3, granted: 3, returned: 2 })));
  expect(granted(freed)).toEqual({ a: 3, b: 3, c: 0 });
  const over = withGrants(withClaim(freed, claim('a', { isOver: true })));
  expect(granted(over)).toEqual({ b: 3, c: 1 });
  expect(inUse(over)).toBe(4);
});

test('what can be used one by one comes one by one', () => {
  const state = after(4, claim('a', { wanted: 3 }), claim('b', { wanted: 5, isWhole: false }));
  expect(granted(state)).toEqual({ a: 3, b: 1 });
  expect(granted(withGrants(withoutRuns(state, ['a'])))).toEqual({ b: 4 });
});

test('messages may be repeated and overtake each other', () => {
  const full = after(4, claim('a', { wanted: 3 }), claim('a', { wanted: 3 }));
  expect(inUse(full)).toBe(3);
  const returned = claim('a', { wanted: 3, granted: 3, returned: 2 });
  const late = withClaim(withClaim(full, returned), claim('a', { wanted: 3, granted: 3, returned: 1 }));
  expect(inUse(late)).toBe(1);
  // The quota's workflow was terminated, and begins with what runs tell.
  expect(inUse(after(4, returned))).toBe(1);
});

test('a run that was cancelled while it waited waits no more, and one that was reset begins anew', () => {
  const waiting = after(2, claim('a', { wanted: 2 }), claim('b', { wanted: 2 }));
  expect(granted(withClaim(waiting, claim('b', { isOver: true })))).toEqual({ a: 2 });
  const reset = withGrants(withClaim(waiting, claim('a', { runId: 'a-2', wanted: 2 })));
  expect(granted(reset)).toEqual({ a: 0, b: 2 });
  // What the earlier execution says late does not end the new one.
  expect(granted(withClaim(reset, claim('a', { isOver: true })))).toEqual({ a: 0, b: 2 });
});

test('who can never have what it needs, since the limit was lowered, holds up nobody', () => {
  const waiting = after(4, claim('a', { wanted: 4 }), claim('b', { wanted: 4 }), claim('c', { wanted: 1 }));
  const lowered = withGrants({ ...withoutRuns(waiting, ['a']), limit: 2 });
  expect(granted(lowered)).toEqual({ b: 0, c: 1 });
  const grant = grantOf(lowered, 'b');
  expect(grant && waitWords(grant, 4)).toMatch(/4 endpoints together, but at most 2 are allowed now/);
  expect(granted(withGrants({ ...waiting, limit: null }))).toEqual({ a: 4, b: 4, c: 1 });
});

test('says why a run waits', () => {
  expect(waitWords({ limit: 4, inUse: 3, ahead: 0 }, 2)).toBe(
    'waits for 2 endpoints: 3 of at most 4 are in use (EVALSAGA_MAX_ENDPOINTS); it is the next run',
  );
  expect(waitWords({ limit: 4, inUse: 4, ahead: 2 }, 1)).toMatch(/waits for an endpoint: .*; 2 runs are before it$/);
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

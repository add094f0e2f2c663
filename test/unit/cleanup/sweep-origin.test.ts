import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { homeIdentity } from '../../../src/home/home-identity';
import { outlived } from '../../../src/cleanup/orphan-storage';
import { isOrphan, type OwnerState, type SweepRule } from '../../../src/cleanup/orphans';
import { kinshipOf } from '../../../src/temporal/origin';
import { freshFolder } from '../../support/folders';

const place = 'home:11111111-aaaa@0123456789ab';
const own = `${place}/database-1`;

describe('the owner of a mark', () => {
  test.each([
    [own, 'own'],
    [`${place}/database-2`, 'replaced'],
    ['home:11111111-aaaa', 'earlier'],
    ['home:11111111-aaaa@another-place/database-1', 'foreign'],
    ['home:22222222-bbbb', 'foreign'],
    ['cluster:x/default', 'foreign'],
    ['', 'foreign'],
  ])('of a home: %s is %s', (mark, kinship) => expect(kinshipOf(mark, own)).toBe(kinship));

  test.each([
    ['namespace:uuid/evals', 'own'],
    ['cluster:other-cluster/evals', 'earlier'],
    ['cluster:other-cluster/default', 'foreign'],
    ['namespace:other/evals', 'foreign'],
    [own, 'foreign'],
  ])('of a cluster: %s is %s', (mark, kinship) => expect(kinshipOf(mark, 'namespace:uuid/evals')).toBe(kinship));
});

describe('the identity of a home', () => {
  test('is the same for concurrent and later callers; that of a copy differs, although the file is the same', async () => {
    const folder = await freshFolder('identity');
    try {
      const home = { root: path.join(folder.path, 'home') };
      const asked = await Promise.all(Array.from({ length: 20 }, () => homeIdentity(home)));
      expect(new Set([...asked, await homeIdentity(home)]).size).toBe(1);
      const copy = { root: path.join(folder.path, 'copy') };
      await cp(home.root, copy.root, { recursive: true });
      expect(await readFile(path.join(copy.root, 'id.json'))).toEqual(await readFile(path.join(home.root, 'id.json')));
      const [first = ''] = asked;
      const other = await homeIdentity(copy);
      expect([other === first, other.split('@')[0] === first.split('@')[0]]).toEqual([false, true]);
      expect(kinshipOf(`home:${first}/database`, `home:${other}/database`)).toBe('foreign');
    } finally {
      await folder.dispose();
    }
  });
});

describe('three clocks, each up to ten minutes off', () => {
  const graceMs = 180_000;
  const minute = 60_000;
  const offsets = [-10, -5, 0, 5, 10].map((minutes) => minutes * minute);
  const clocks = offsets.flatMap((platform) =>
    offsets.flatMap((temporal) => offsets.map((host) => ({ platform, temporal, host }))),
  );
  /** Judges like a sweep whose clocks are `off`; the times in `truly` are the true ones. */
  const judge = (
    off: (typeof clocks)[number],
    truly: { readonly now: number; readonly createdAt: number; readonly closedAt?: number; readonly origin?: string },
  ): boolean => {
    const { now, createdAt, closedAt, origin = own } = truly;
    const owner: OwnerState =
      closedAt === undefined ? { kind: 'unknown' } : { kind: 'closed', closedAt: closedAt + off.temporal };
    return isOrphan({ origin, createdAt: createdAt + off.platform }, owner, {
      origin: own,
      now: { platform: now + off.platform, temporal: now + off.temporal, host: now + off.host },
      graceMs,
      replacedGraceMs: 6 * 60 * minute,
    });
  };

  test.each(clocks)('nothing young is removed, nothing old stays: %p', (off) => {
    const now = 1_000 * minute;
    const young = now - graceMs + 1_000;
    const old = now - graceMs - 1_000;
    expect(judge(off, { now, createdAt: young })).toBe(false);
    expect(judge(off, { now, createdAt: young, closedAt: old })).toBe(false);
    expect(judge(off, { now, createdAt: old, closedAt: young })).toBe(false);
    expect(judge(off, { now, createdAt: old })).toBe(true);
    expect(judge(off, { now, createdAt: old, closedAt: old })).toBe(true);
  });

  test("resources of another database stay for hours, and those with an earlier build's mark until Temporal says closed", () => {
    const exact = { platform: 0, temporal: 0, host: 0 };
    const now = 1_000 * minute;
    const replaced = { now, origin: `${place}/database-2` };
    expect(judge(exact, { ...replaced, createdAt: now - 5 * 60 * minute })).toBe(false);
    expect(judge(exact, { ...replaced, createdAt: now - 7 * 60 * minute })).toBe(true);
    const earlier = { now, origin: 'home:11111111-aaaa', createdAt: 0 };
    expect(judge(exact, earlier)).toBe(false);
    expect(judge(exact, { ...earlier, closedAt: 1 })).toBe(true);
  });

  test("a run can't have closed later than now, whatever this host's clock says: its storage is judged too", () => {
    const rule = (now: number, grace: number): SweepRule => ({
      origin: own,
      now: { platform: 0, temporal: now, host: now },
      graceMs: grace,
      replacedGraceMs: grace,
    });
    const run = { storedAt: 0, origin: own };
    const closed = { kind: 'closed', closedAt: 20 * minute } as const;
    expect(outlived(run, closed, rule(10 * minute, -1_000))).toBe(true);
    expect(outlived(run, closed, rule(10 * minute, graceMs))).toBe(false);
    expect(outlived(run, closed, rule(24 * minute, graceMs))).toBe(true);
  });
});

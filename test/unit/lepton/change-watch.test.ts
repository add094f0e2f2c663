import { setTimeout as sleep } from 'node:timers/promises';
import { createChangeWatch } from '../../../src/lepton/change-watch';
import type { Revisions } from '../../../src/lepton/types';

/** A platform whose questions are held open until `change` is called. */
function announcingPlatform() {
  const states = { deployments: new Map<string, string>(), jobs: new Map<string, string>() };
  let revision = 0;
  let held: ((now: Revisions) => void)[] = [];
  const now = (): Revisions => ({ deployments: `d${revision}`, jobs: 'j0' });
  const platform = {
    asked: 0,
    listed: 0,
    aborted: 0,
    nextChange(known: Revisions | undefined, options?: { signal?: AbortSignal | undefined }) {
      platform.asked += 1;
      if (known?.deployments !== now().deployments) return Promise.resolve(now());
      return new Promise<Revisions>((resolve, reject) => {
        held.push(resolve);
        options?.signal?.addEventListener('abort', () => {
          platform.aborted += 1;
          reject(new Error('aborted'));
        });
      });
    },
    states(kind: 'deployments' | 'jobs') {
      platform.listed += 1;
      return Promise.resolve(new Map(states[kind]));
    },
    change(name: string, state: string) {
      states.deployments.set(name, state);
      revision += 1;
      const waiting = held;
      held = [];
      waiting.forEach((answer) => answer(now()));
    },
  };
  return platform;
}

const settled = () => sleep(20);

test('a change is looked up once and told to those only whose resource it is about', async () => {
  const platform = announcingPlatform();
  platform.change('a', 'Starting');
  platform.change('b', 'Starting');
  const watch = createChangeWatch(platform);
  const told: string[] = [];
  const ends = ['a', 'a', 'b'].map((name, at) => watch.subscribe('deployments', name, () => told.push(`${name}${at}`)));
  await settled();
  expect(watch.isAlive('deployments')).toBe(true);
  // Until the first answer nobody knows what has happened before.
  expect(told).toEqual(['a0', 'a1', 'b2']);
  const { listed } = platform;
  platform.change('b', 'Ready');
  await settled();
  expect(told.slice(3)).toEqual(['b2']);
  expect(platform.listed - listed).toBe(1);
  ends.forEach((end) => end());
});

test('a listing in which nobody waits for anything is not read, but once somebody does', async () => {
  const platform = announcingPlatform();
  const watch = createChangeWatch(platform);
  const end = watch.subscribe('jobs', 'j', () => undefined);
  await settled();
  expect({ listed: platform.listed, isAlive: watch.isAlive('deployments') }).toEqual({ listed: 1, isAlive: false });
  platform.change('a', 'Ready');
  await settled();
  expect(platform.listed).toBe(1);
  const told: string[] = [];
  const endOther = watch.subscribe('deployments', 'a', () => told.push('a'));
  await settled();
  expect({ told, isAlive: watch.isAlive('deployments') }).toEqual({ told: ['a'], isAlive: true });
  end();
  endOther();
});

test('one question is held, however many wait; it is given up when nobody does', async () => {
  const platform = announcingPlatform();
  const watch = createChangeWatch({ ...platform, nextChange: platform.nextChange, lingerMs: 1 });
  const ends = Array.from({ length: 50 }, (_, at) => watch.subscribe('deployments', `${at}`, () => undefined));
  await settled();
  expect(platform.asked).toBe(2);
  ends.forEach((end) => end());
  await settled();
  expect({ aborted: platform.aborted, isAlive: watch.isAlive('deployments') }).toEqual({ aborted: 1, isAlive: false });
});

test('a platform that announces nothing is not asked again by each who waits', async () => {
  let asked = 0;
  const watch = createChangeWatch({
    nextChange: () => Promise.resolve((asked++, undefined)),
    states: () => Promise.resolve(new Map()),
  });
  for (let at = 0; at < 20; at += 1) {
    watch.subscribe('jobs', `${at}`, () => undefined);
    await sleep(1);
  }
  expect({ asked, isAlive: watch.isAlive('deployments') }).toEqual({ asked: 1, isAlive: false });
});

test('after a failure it goes on, and tells what has changed meanwhile', async () => {
  const platform = announcingPlatform();
  platform.change('a', 'Starting');
  let fails = 0;
  const watch = createChangeWatch({
    states: platform.states,
    againAfterMs: 1,
    nextChange: (known, options) =>
      fails-- > 0 ? Promise.reject(new Error('no answer')) : platform.nextChange(known, options),
  });
  const told: string[] = [];
  const end = watch.subscribe('deployments', 'a', () => told.push('a'));
  await settled();
  fails = 1;
  platform.change('a', 'Ready');
  await settled();
  platform.change('a', 'Error');
  await settled();
  watch.subscribe('deployments', 'b', () => undefined)();
  await settled();
  expect(told.length).toBeGreaterThanOrEqual(3);
  end();
});

import { LastRequests, nextLookMs } from '../../../src/activities/last-requests';
import { answeredLine } from '../../../src/contract/last-request';
import type { Platform } from '../../../src/lepton/platforms';
import { progressInLog } from '../../../src/results/progress/log-progress';
import type { Job } from '../../../src/lepton/types';

const nonce = 'c0ffee00'.repeat(4);
const input = { platform: { kind: 'local', workspace: 'local' }, id: 'job-1', invocation: 'a'.repeat(16) } as const;
const job = {
  metadata: { id: 'job-1' },
  spec: { envs: [{ name: 'EVALSAGA_ANSWERED', value: nonce }] },
} as unknown as Job;

function platformWith(log: () => readonly string[] | Error, mayAskLastRequest = () => true) {
  const questions: (string | undefined)[] = [];
  const client = {
    logLines: ({ text }: { readonly text?: string }) => {
      questions.push(text);
      const found = log();
      return found instanceof Error
        ? Promise.reject(found)
        : Promise.resolve(found.map((line) => ({ at: 1n, text: line })));
    },
  };
  const platform = { client, pace: 'local', mayAskLastRequest } as unknown as Pick<
    Platform,
    'client' | 'pace' | 'mayAskLastRequest'
  >;
  return { platform, questions };
}

const knowing = (): LastRequests => {
  const known = new LastRequests();
  expect(known.know(input, job)).toBe(true);
  return known;
};

test('only the mark with what the job was given says that the last request is answered', () => {
  const known = knowing();
  for (const forged of [answeredLine('f'.repeat(32)), answeredLine(''), nonce, `EVALSAGA_ANSWERED=${nonce}`])
    known.hear(input, [forged]);
  expect(known.isAnswered(input)).toBe(false);
  let woken = 0;
  known.onAnswered(input, () => (woken += 1));
  known.hear(input, [`\rRequesting API: 100%|██████████| 40/40 [00:07<00:00]${answeredLine(nonce)}`]);
  known.hear(input, [answeredLine(nonce)]);
  expect([known.isAnswered(input), woken]).toEqual([true, 1]);
});

test('a job without the variable has no mark, nor one that is not known', () => {
  const known = new LastRequests();
  expect(known.know(input, { metadata: { id: 'job-1' } })).toBe(false);
  known.hear(input, [answeredLine('undefined'), answeredLine('')]);
  expect([known.isAnswered(input), known.isKnown(input), known.released(input)]).toEqual([false, false, undefined]);
});

test('the mark is found by a search for progress bars, and is none', () => {
  expect(answeredLine(nonce)).toContain('%|');
  expect(progressInLog([answeredLine(nonce)], 'lm-evaluation-harness')).toBeUndefined();
});

test('after a restart of the worker the log alone tells: the mark, none, or no answer', async () => {
  const { signal } = new AbortController();
  let log: readonly string[] | Error = ['a line'];
  const { platform, questions } = platformWith(() => log);
  const known = knowing();
  expect(await known.find({ input, platform, signal })).toBe(false);
  log = new Error('503');
  await expect(known.find({ input, platform, signal })).rejects.toThrow('503');
  log = [answeredLine(nonce)];
  expect(await known.find({ input, platform, signal })).toBe(true);
  expect(questions).toEqual([nonce, nonce, nonce]);
});

test('a release is told until the task has heard it, always with the same time', () => {
  const known = knowing();
  const first = known.released(input);
  expect(known.released(input)?.at).toBe(first?.at);
  first?.told();
  expect([known.released(input), known.isReleased(input)]).toEqual([undefined, true]);
});

test('a failed job is told how to go on only if the model had done its part', () => {
  const known = knowing();
  expect(known.howToGoOn(input)).toBe('');
  known.hear(input, [answeredLine(nonce)]);
  known.released(input);
  expect(known.howToGoOn(input)).toMatch(/its endpoint was released then .*evalsaga retry a{16} makes a new endpoint/);
});

test('it is asked rarely, and often once the end is near', () => {
  const at = (seconds: number | null, done = 1) =>
    nextLookMs(
      { done, total: 10, expectedEnd: seconds === null ? null : new Date(seconds * 1_000).toISOString() },
      { pace: 'lepton', nowMs: 0 },
    );
  expect([at(null), at(3_600), at(70), at(50), at(-9), at(null, 10)]).toEqual([
    35_000, 35_000, 15_000, 5_000, 5_000, 5_000,
  ]);
  expect(nextLookMs(undefined, { pace: 'local', nowMs: 0 })).toBe(1_000);
});

test('what has just been read for progress is not asked again, nor without allowance', async () => {
  const { signal } = new AbortController();
  let mayAsk = false;
  const { platform, questions } = platformWith(
    () => [answeredLine(nonce)],
    () => mayAsk,
  );
  const known = knowing();
  const look = () => known.look({ input, platform, progress: undefined, signal });
  const clock = jest.spyOn(performance, 'now');
  const from = performance.now();
  clock.mockReturnValue(from + 900);
  known.hear(input, ['a bar']);
  clock.mockReturnValue(from + 1_500);
  mayAsk = true;
  look();
  expect(questions).toEqual([]);
  clock.mockReturnValue(from + 2_000);
  mayAsk = false;
  look();
  expect(questions).toEqual([]);
  mayAsk = true;
  expect(look()).toBe(1_000);
  clock.mockRestore();
  await new Promise((resolve) => setImmediate(resolve));
  expect([questions, known.isAnswered(input), look()]).toEqual([[nonce], true, Infinity]);
});

import { afterQuestion, JobProgressWatch, progressAfter } from '../../../src/activities/job-progress';
import type { AwaitJobInput } from '../../../src/contract/inputs/job';
import type { JobProgress } from '../../../src/contract/job-progress';
import type { Platform } from '../../../src/lepton/platforms';

test('a job is asked about at most every 30 s on Lepton, and no more after a few tries without an answer', () => {
  let state: { source: 'log' | 'statistics'; misses: number; nextAtMs: number } = {
    source: 'log',
    misses: 0,
    nextAtMs: 0,
  };
  const asked: string[] = [];
  for (let tries = 0; state.nextAtMs < Infinity; tries += 1) {
    asked.push(`${state.source} ${state.nextAtMs / 1_000}`);
    state = afterQuestion(state, { answer: 'nothing', nowMs: state.nextAtMs, pace: 'lepton' });
    expect(tries).toBeLessThan(10);
  }
  expect(asked).toEqual(['log 0', 'statistics 30', 'log 90', 'statistics 210', 'log 450', 'statistics 930']);
  const seen = { done: 1, total: null, unit: 'requests' } as const;
  expect(afterQuestion({ source: 'log', misses: 3 }, { answer: seen, nowMs: 0, pace: 'lepton' })).toEqual({
    source: 'log',
    misses: 0,
    nextAtMs: 30_000,
  });
  // A platform that does not answer has not said that there is nothing.
  expect(afterQuestion({ source: 'log', misses: 1 }, { answer: 'failed', nowMs: 0, pace: 'local' })).toEqual({
    source: 'log',
    misses: 1,
    nextAtMs: 20_000,
  });
});

test('an end is expected once there is evidence', () => {
  const seen = [0, 20, 40].map((done) => ({ done, total: 100, unit: 'requests', atMs: done * 1_000 }) as const);
  const [first, second, third] = seen;
  if (!first || !second || !third) throw new Error('there are three');
  const one = progressAfter([], first);
  expect(one.progress).toMatchObject({ done: 0, total: 100, expectedEnd: null });
  const three = progressAfter(progressAfter(one.observations, second).observations, third);
  expect(three.progress.expectedEnd).toBe(new Date(100_000).toISOString());
});

const bar = (done: number): string => `\rRequesting API:  35%|███▌      | ${done}/40 [00:07<00:13,  2.00it/s]`;

const input: AwaitJobInput = {
  platform: { kind: 'lepton', workspace: 'w', url: 'https://w.example' },
  invocation: '0123456789abcdef',
  index: 0,
  name: 'job',
  id: 'job-1',
  progress: { harness: 'lm-evaluation-harness', fileSystem: 'default', folder: '/shared/0-a' },
};

/** A platform whose client answers each question with the next of `answers`. */
function platformWith(answers: (string | Error)[], mayMeasure: () => boolean) {
  const questions: string[] = [];
  const client = {
    logLines: (range: { readonly text?: string }): Promise<unknown> => {
      questions.push(`log ${range.text ?? ''}`);
      const answer = answers.shift() ?? '';
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve([{ at: 1n, text: answer }]);
    },
  };
  const platform = { client, pace: 'local', mayMeasure } as unknown as Pick<Platform, 'client' | 'pace' | 'mayMeasure'>;
  return { platform, questions };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('one question at a time, in the background, and none where all together have asked enough', async () => {
  let allowed = true;
  const { platform, questions } = platformWith([bar(14)], () => allowed);
  const news: JobProgress[] = [];
  const watch = new JobProgressWatch();
  const look = (elapsedMs: number) =>
    watch.look({
      ...{ input, platform, elapsedMs, signal: new AbortController().signal },
      job: { metadata: { id: 'job-1', created_at: 1 } },
      onProgress: (progress) => news.push(progress),
    });
  allowed = false;
  expect(look(60_000)).toBeUndefined();
  allowed = true;
  expect(look(60_000)).toBeUndefined();
  look(60_000);
  await settled();
  expect(questions).toEqual(['log %|']);
  expect(news).toMatchObject([{ done: 14, total: 40, expectedEnd: null }]);
  expect(look(61_000)).toMatchObject({ done: 14 });
  await settled();
  expect(questions).toHaveLength(1);
});

test('a job that has just begun to be waited for is not asked about yet', () => {
  const { platform, questions } = platformWith([], () => true);
  const watch = new JobProgressWatch();
  watch.look({
    ...{ input: { ...input, id: 'job-2' }, platform, elapsedMs: 100, signal: new AbortController().signal },
    job: { metadata: { id: 'job-2' } },
    onProgress: () => undefined,
  });
  expect(questions).toEqual([]);
});

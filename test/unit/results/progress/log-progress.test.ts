import { progressInLog, progressInStats } from '../../../../src/results/progress/log-progress';

const lmEval = 'lm-evaluation-harness';

test('the last bar of requests counts, wherever it stands in a line', () => {
  // As in a job's log: a bar has no line end, and the next request's line follows it.
  const lines = [
    'Building contexts: 100%|██████████| 10/10 [00:00<00:00, 900.00it/s]',
    '\rRequesting API:   0%|          | 0/40 [00:00<?, ?it/s][I 2026-11-28T02:32:19.118] Request started path=',
    '\rRequesting API:  25%|██▌       | 10/40 [00:05<00:15,  2.00it/s]\rRequesting API:  35%|███▌      | 14/40 [00:07<00:13,  2.00it/s][I 2026-11-28T02:32:26.788] Request started',
    '[I 2026-11-28T02:32:26.949] Request completed status_code=200 path= logger=root',
  ];
  expect(progressInLog(lines, lmEval)).toEqual({ done: 14, total: 40, unit: 'requests' });
});

test('bars of preparations are no progress', () => {
  const bar = (label: string): string => `\r${label} 35%|███▌      | 14/40 [00:07<00:13,  2.00it/s]`;
  for (const label of ['Checking cached requests:', 'Map:', 'Downloading shards:', 'Generating train split:'])
    expect(progressInLog([bar(label)], 'bigcode-evaluation-harness')).toBeUndefined();
  // lm-evaluation-harness builds its prompts under a bar without a name.
  expect(progressInLog([bar('')], lmEval)).toBeUndefined();
  expect(progressInLog([bar('')], 'simple_evals')).toEqual({ done: 14, total: 40, unit: 'samples' });
  expect(progressInLog([bar('Remaining generations:')], 'nemo_skills')).toEqual({ done: 14, total: 40, unit: 'steps' });
  expect(progressInLog(['35% of 14/40 [x]', ''], 'simple_evals')).toBeUndefined();
});

test("the evaluator's statistics tell requests, but not how many there will be", () => {
  const stats = JSON.stringify({ response_stats: { count: 201, successful_count: 200 } });
  expect(progressInStats(stats)).toEqual({ done: 200, total: null, unit: 'requests' });
  expect(progressInStats(stats.replace('{', '{"evaluation":{"runtime_seconds":NaN},'))?.done).toBe(200);
  for (const text of [stats.slice(0, 30), '{}', 'null', '{"response_stats":{"successful_count":"9"}}'])
    expect(progressInStats(text)).toBeUndefined();
});

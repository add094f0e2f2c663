import { distributionOf, distributionOfCounts } from '../../../src/results/requests/distribution';
import { tokenDistributions } from '../../../src/results/requests/token-counts';

test('a distribution of counts is that of the numbers themselves', () => {
  const values = [30, 30, 61, 7, 7, 7, 1_200];
  const counts = [
    [30, 2],
    [61, 1],
    [7, 3],
    [1_200, 1],
  ] as const;
  expect(distributionOfCounts(counts)).toEqual(distributionOf(values));
  expect(distributionOfCounts([])).toBeUndefined();
});

test('tokens per request; what is damaged counts as not known', () => {
  const read = tokenDistributions({ version: 1, prompt_tokens: { 30: 2, 61: 1 }, completion_tokens: {} });
  expect(read).toMatchObject({ prompt: { count: 3, min: 30, p50: 30, max: 61 }, completion: null });
  for (const content of [undefined, null, [], {}, { prompt_tokens: { x: 1 } }, { prompt_tokens: { 3: -1 } }])
    expect(tokenDistributions(content)).toBeUndefined();
});

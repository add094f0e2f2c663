import { ownersInWords, whyDoubtful } from '../../../src/cleanup/certainty';

test('certain: Temporal says closed, or the owner itself no longer knows the run', () => {
  expect(whyDoubtful({ kind: 'closed', origin: 'home:a' }, ['home:b'])).toBeUndefined();
  expect(whyDoubtful({ kind: 'unknown', origin: 'home:a' }, ['home:a'])).toBeUndefined();
});

test('doubtful: Temporal could not be asked, another server owns the run, or no mark names the owner', () => {
  expect(whyDoubtful({ kind: 'not asked', reason: 'no route' }, ['home:a'])).toContain('no route');
  expect(whyDoubtful({ kind: 'unknown', origin: 'home:a' }, ['home:a', 'home:b'])).toContain('home:a');
  expect(whyDoubtful({ kind: 'unknown', origin: 'home:a' }, [])).toContain('does not know it');
});

test('the owner is named, with instructions for asking it', () => {
  expect(ownersInWords(['cluster:x/evals'])).toMatch(
    /cluster:x\/evals: set TEMPORAL_ADDRESS .* TEMPORAL_NAMESPACE to evals/,
  );
  expect(ownersInWords(['home:a'])).toContain('EVALSAGA_HOME');
  expect(ownersInWords([])).toContain('does not say');
});

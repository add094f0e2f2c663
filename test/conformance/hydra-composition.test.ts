/** The same inputs composed by the real Hydra/OmegaConf and by us. */
import { presetsFolder } from '../../src/config/compose/sources';
import { acceptedOnlyByUs, composedAlike, refusedByBoth, refusedOnlyByUs } from './hydra/cases';
import { composeOurs, sorted } from './hydra/ours';
import { HydraReference } from './hydra/reference';
import type { HydraCase } from './hydra/reference';

let reference: HydraReference;

beforeAll(async () => {
  reference = await HydraReference.start(presetsFolder);
}, 300_000);

afterAll(async () => {
  await reference.stop();
});

test.each(Object.entries(composedAlike))('composed alike: %s', async (_name, input: HydraCase) => {
  const theirs = await reference.compose(input);
  const ours = composeOurs(input);
  if (!('value' in theirs) || !('value' in ours)) {
    expect({ theirs, ours }).toEqual({ theirs: 'a value', ours: 'a value' });
    return;
  }
  expect(sorted(ours.value)).toEqual(sorted(theirs.value));
});

test.each(Object.entries(refusedByBoth))('refused by both: %s', async (_name, input: HydraCase) => {
  const theirs = await reference.compose(input);
  const ours = composeOurs(input);
  expect(theirs).toHaveProperty('error');
  expect(ours).toHaveProperty('error');
});

test.each(Object.entries(refusedOnlyByUs))('refused by us on purpose: %s', async (_name, input: HydraCase) => {
  const theirs = await reference.compose(input);
  const ours = composeOurs(input);
  expect(theirs).toHaveProperty('value');
  expect(ours).toHaveProperty('error');
});

test.each(Object.entries(acceptedOnlyByUs))('accepted by us on purpose: %s', async (_name, input: HydraCase) => {
  const theirs = await reference.compose(input);
  const ours = composeOurs(input);
  expect(theirs).toHaveProperty('error');
  expect(ours).toHaveProperty('value');
});

/** Composes the same inputs with the real Hydra and OmegaConf, and with evalsaga. */
import fc from 'fast-check';
import { presetsFolder } from '../../src/config/hydra/compose/sources';
import { acceptedOnlyByUs, composedAlike, refusedByBoth, refusedOnlyByUs } from './hydra/cases';
import { configs, overrideLists, yamlScalars } from './hydra/generated';
import { composeOurs, sorted } from './hydra/ours';
import { HydraReference } from './hydra/reference';
import type { HydraCase } from './hydra/reference';
import { fuzzFactor, holds } from '../support/fuzz';

let reference: HydraReference;

beforeAll(async () => {
  reference = await HydraReference.start(presetsFolder);
}, 300_000 * fuzzFactor);

afterAll(async () => {
  await reference.stop();
});

test.each(Object.entries(composedAlike))('the same result: %s', async (_name, input: HydraCase) => {
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

/** Either both refuse, or both give the same result. */
async function alike(input: HydraCase): Promise<void> {
  const theirs = await reference.compose(input);
  const ours = composeOurs(input);
  const shown = {
    input,
    theirs: 'value' in theirs ? sorted(theirs.value) : 'refused',
    ours: 'value' in ours ? sorted(ours.value) : 'refused',
  };
  expect({ input, result: shown.ours }).toEqual({ input, result: shown.theirs });
}

test(
  'generated overrides',
  async () => {
    await holds(
      fc.asyncProperty(overrideLists, (overrides) => alike({ files: { 'config.yaml': generatedBase }, overrides })),
      { numRuns: 120 },
    );
  },
  300_000 * fuzzFactor,
);

test(
  'generated scalars, many to a file',
  async () => {
    await holds(
      fc.asyncProperty(fc.array(yamlScalars, { minLength: 30, maxLength: 60 }), (scalars) => {
        const text = scalars.map((scalar, index) => `k${index}: ${scalar}\n`).join('');
        return alike({ files: { 'config.yaml': text }, overrides: [] });
      }),
      { numRuns: 40 },
    );
  },
  300_000 * fuzzFactor,
);

test(
  'generated configs with interpolations',
  async () => {
    await holds(
      fc.asyncProperty(configs, (text) =>
        alike({ files: { 'config.yaml': text }, overrides: [], env: { SET: 'a ${x} b', EMPTY: '' } }),
      ),
      { numRuns: 80 },
    );
  },
  300_000 * fuzzFactor,
);

const generatedBase = 'a: 1\nb:\n  x: 1\n  y: [1, {z: 2}]\nc: null\nd: text\nm: ???\n';

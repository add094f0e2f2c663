import { sweptBy } from '../../../src/cli/attach/sweeping';

const local = { kind: 'local', workspace: 'local' } as const;
const lepton = { kind: 'lepton', workspace: 'w', url: 'http://127.0.0.1:9' } as const;

test('the embedded server has one schedule per platform', () => {
  const stack = { taskQueue: 'evalsaga', homeQueue: undefined, temporal: { isEmbedded: true } };
  expect(sweptBy(stack, local, 'me')).toEqual([{ platform: local, taskQueue: 'evalsaga' }]);
});

test('on a cluster, a home with a queue of its own sweeps under its own name', () => {
  const stack = { taskQueue: 'evalsaga-abc', homeQueue: undefined, temporal: { isEmbedded: false } };
  for (const platform of [local, lepton])
    expect(sweptBy(stack, platform, 'me')).toEqual([{ platform, taskQueue: 'evalsaga-abc', home: 'me' }]);
});

test('if others serve the queue, they sweep, and this home also sweeps, for what only it can fetch', () => {
  const stack = { taskQueue: 'evalsaga', homeQueue: 'evalsaga-abc', temporal: { isEmbedded: false } };
  expect(sweptBy(stack, lepton, 'me')).toEqual([
    { platform: lepton, taskQueue: 'evalsaga' },
    { platform: lepton, taskQueue: 'evalsaga-abc', home: 'me' },
  ]);
});

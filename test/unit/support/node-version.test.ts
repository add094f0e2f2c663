import { readFileSync } from 'node:fs';
import path from 'node:path';
import { nodeComplaint, oldestNode } from '../../../src/support/node-version';

test.each([
  ['20.19.0', undefined],
  ['20.20.2', undefined],
  ['24.0.0', undefined],
  ['20.18.3', 'evalsaga needs Node 20.19 or newer; this is 20.18.3.'],
  ['18.20.8', 'evalsaga needs Node 20.19 or newer; this is 18.20.8.'],
  ['22.1.0-nightly', undefined],
])('Node %s', (version, complaint) => {
  expect(nodeComplaint(version)).toBe(complaint);
});

test('package.json requires the same version of Node', () => {
  const text = readFileSync(path.resolve('package.json'), 'utf8');
  const { engines } = JSON.parse(text) as { engines: { node: string } };
  expect(`${engines.node}.0`).toBe(`>=${oldestNode}`);
});

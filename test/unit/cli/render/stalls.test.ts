import { heldUpText } from '../../../../src/cli/render/stalls';

test('a run that no worker begins says why, that nothing was created, and how to give it up', () => {
  const cause = 'before anything was created: no address in /h. Not on: host:17\u001b[2J';
  const text = heldUpText({ attempts: 3, cause }, { invocation: '0123456789abcdef', program: 'evalsaga' });
  expect(text).toMatch(/^The run has not begun, after 3 attempts: .*no address in \/h\. Not on: host:17/);
  expect(text).not.toContain('\u001b');
  expect(text).toContain('Nothing was created.');
  expect(text).toContain('evalsaga cancel 0123456789abcdef');
});

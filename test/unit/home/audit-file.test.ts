import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { audit, auditFile } from '../../../src/home/audit-file';
import { whoActs } from '../../../src/support/who';
import { freshFolder } from '../../support/folders';

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeEach(async () => void (folder = await freshFolder('audit')));
afterEach(() => folder.dispose());

test('each command that changes something adds a line that says who, in a file for nobody else', async () => {
  const home = { root: `${folder.path}/home` };
  await audit(home, { EVALSAGA_OWNER: 'ann' }, { action: 'start', invocation: '0123456789abcdef', model: 'm' });
  await audit(home, {}, { action: 'cancel', invocation: '0123456789abcdef', task: 1 });
  const lines = (await readFile(auditFile(home), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { action: 'start', who: 'ann', invocation: '0123456789abcdef', model: 'm' },
    { action: 'cancel', who: userInfo().username, task: 1 },
  ]);
  expect((await stat(auditFile(home))).mode & 0o077).toBe(0);
});

test('a folder that cannot be written keeps nobody from cancelling', async () => {
  await expect(audit({ root: '/dev/null/x' }, {}, { action: 'cancel' })).resolves.toBeUndefined();
});

test('the variable wins over the account, and fits a search attribute', () => {
  expect(whoActs({ EVALSAGA_OWNER: ' team \u001b[2J' })).toBe('team  [2J');
  expect(whoActs({ EVALSAGA_OWNER: 'x'.repeat(500) })).toHaveLength(100);
  expect(whoActs({ EVALSAGA_OWNER: '' })).toBe(userInfo().username);
});

import { journalFor, journalOn } from '../../../src/stack/dev-server';

test('a database on a file system that other hosts share keeps its rollback journal', () => {
  const nfs = 0x6969;
  const smb2 = 0xfe534d42;
  const ext4 = 0xef53;
  expect([nfs, smb2, smb2 | 0, ext4].map((type) => journalOn(type, 'linux'))).toEqual([
    'rollback',
    'rollback',
    'rollback',
    'wal',
  ]);
  expect(journalOn(nfs, 'darwin')).toBe('wal');
  expect(journalFor(__dirname)).toMatch(/^(wal|rollback)$/);
});

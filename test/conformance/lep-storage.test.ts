import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { testPlatform, type TestPlatform } from '../local-platform/test-platform';
import { lepFor, lepPlan, type Lep, type LepVersion } from './lep';

/** `lep storage`, which 0.47.1 no longer has. */

jest.setTimeout(300_000);

let platform: TestPlatform;
afterEach(() => platform.dispose());

const setUp = async (version: LepVersion): Promise<Lep> => {
  platform = await testPlatform({ plan: lepPlan, workspace: 'ws1' });
  return lepFor(version, platform);
};

test('leptonai 0.27.3: storage', async () => {
  const lep = await setUp('0.27.3');
  const file = path.join(platform.root, 'up.txt');
  writeFileSync(file, 'größe\n');
  const storage = async (...args: string[]) => {
    const done = await lep('storage', ...args);
    return [done.code, done.requests];
  };
  expect(await storage('mkdir', '/d1')).toEqual([0, ['PUT /storage/default/d1']]);
  expect(await storage('upload', file, '/d1/')).toEqual([0, ['POST /storage/default/d1/up.txt']]);
  const listed = await lep('storage', 'ls', '/d1');
  expect([listed.code, listed.requests]).toEqual([0, ['HEAD /storage/default/d1', 'GET /storage/default/d1']]);
  expect(listed.text).toContain('up.txt 0 directories, 1 file');
  const down = path.join(platform.root, 'down.txt');
  expect(await storage('download', '/d1/up.txt', down)).toEqual([
    0,
    ['HEAD /storage/default/d1/up.txt', 'GET /storage/default/d1', 'GET /storage/default/d1/up.txt'],
  ]);
  expect(readFileSync(down, 'utf8')).toBe('größe\n');
  expect(await storage('rm', '/d1/up.txt')).toEqual([
    0,
    ['HEAD /storage/default/d1/up.txt', 'GET /storage/default/d1', 'DELETE /storage/default/d1/up.txt'],
  ]);
  expect((await platform.sim('/inventory')).storage).toEqual(['default:/d1']);
  expect((await storage('rmdir', '/d1'))[0]).toBe(0);
  expect((await storage('ls', '/d1'))[0]).toBe(1);
  expect(await storage('ls-file-system')).toEqual([0, ['GET /storage']]);
  expect(await storage('du')).toEqual([0, ['GET /storage/du']]);
  expect((await platform.sim('/inventory')).storage).toEqual([]);
});

test('leptonai 0.47.1 has no storage command, and sends no request', async () => {
  const lep = await setUp('0.47.1');
  const tried = await lep('storage', 'ls', '/');
  expect([tried.code, tried.requests]).toEqual([2, []]);
});

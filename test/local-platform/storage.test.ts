import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nestDeeply } from '../support/folders';
import { deployment, eventually, quickPlan, testPlatform, type TestPlatform } from './test-platform';

let platform: TestPlatform;
beforeEach(async () => {
  platform = await testPlatform({ plan: quickPlan });
});
afterEach(() => platform.dispose());

async function upload(at: string, content: string | Uint8Array<ArrayBuffer>, field = 'file'): Promise<Response> {
  const form = new FormData();
  form.set(field, new Blob([content]), 'up.bin');
  const headers = { authorization: `Bearer ${platform.token}` };
  return fetch(`${platform.url}/storage${at}`, { method: 'POST', headers, body: form });
}
const leaves = async (): Promise<string[]> => (await platform.sim('/inventory')).storage;
const status = async (method: string, at: string) => (await platform.call(method, `/storage${at}`)).status;

test('a file is uploaded, listed, found, downloaded and deleted', async () => {
  expect((await upload('/default/d1/d%202/ü.txt', 'größe')).status).toBe(200);
  expect(await platform.json('GET', '/storage/default/d1')).toEqual([{ type: 'dir', name: 'd 2', path: '/d1/d 2' }]);
  expect(await platform.json('GET', '/storage/default/d1/d%202/')).toEqual([
    { type: 'file', name: 'ü.txt', path: '/d1/d 2/ü.txt' },
  ]);
  const head = await platform.call('HEAD', '/storage/default/d1/d%202/ü.txt');
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '7']);
  expect(await status('HEAD', '/default/d1')).toBe(200);
  expect(await status('HEAD', '/default/d9')).toBe(404);
  expect(await (await platform.call('GET', '/storage/default/d1/d%202/ü.txt')).text()).toBe('größe');
  expect(await status('DELETE', '/default/d1/d%202/ü.txt')).toBe(200);
  expect(await status('HEAD', '/default/d1')).toBe(404);
  expect(await leaves()).toEqual([]);
});

test('large and empty files are downloaded unchanged', async () => {
  const large = new Uint8Array(24 * 1024 * 1024).map((_, index) => (index * 31) % 251);
  expect((await upload('/data/large.bin', large)).status).toBe(200);
  const back = new Uint8Array(await (await platform.call('GET', '/storage/data/large.bin')).arrayBuffer());
  expect(Buffer.compare(back, large)).toBe(0);
  expect((await upload('/data/empty', '')).status).toBe(200);
  expect(await (await platform.call('GET', '/storage/data/empty')).text()).toBe('');
});

test('an invalid upload is refused and leaves nothing', async () => {
  expect((await upload('/default/a', 'x', 'other')).status).toBe(400);
  expect((await platform.call('POST', '/storage/default/a', { a: 1 })).status).toBe(400);
  expect((await upload('/default/', 'x')).status).toBe(400);
  const headers = { authorization: `Bearer ${platform.token}`, 'content-type': 'multipart/form-data; boundary=B' };
  const body = '--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf of it';
  const cut = await fetch(`${platform.url}/storage/default/a`, { method: 'POST', headers, body });
  expect(cut.status).toBe(400);
  expect(await leaves()).toEqual([]);
});

test('a file replaces a file, but never a folder, nor a folder a file', async () => {
  await upload('/default/a', 'one');
  await upload('/default/a', 'two');
  expect(await (await platform.call('GET', '/storage/default/a')).text()).toBe('two');
  expect((await upload('/default/a/b', 'x')).status).toBe(400);
  expect(await status('PUT', '/default/d')).toBe(200);
  expect((await upload('/default/d', 'x')).status).toBe(400);
});

test('a folder created by request stays when empty; others go with their content', async () => {
  expect(await status('PUT', '/default/kept')).toBe(200);
  await upload('/default/kept/run/0/a', 'x');
  expect(await status('DELETE', '/default/kept/run')).toBe(400);
  expect(await status('DELETE', '/default/kept/run?removeall=true')).toBe(200);
  expect(await leaves()).toEqual(['default:/kept']);
  expect(await status('PUT', '/default/kept/inner/deep')).toBe(200);
  expect(await status('DELETE', '/default/kept?removeall=true')).toBe(200);
  expect(await leaves()).toEqual([]);
  await upload('/default/kept/inner/deep/a', 'x');
  expect(await status('DELETE', '/default/kept/inner/deep/a')).toBe(200);
  expect(await leaves()).toEqual([]); // the record of created folders was removed with them
  expect(await status('DELETE', '/default/kept')).toBe(404);
});

test('an empty folder of a mount lives as long as the resource that mounts it', async () => {
  const mounts = [{ path: '/a/b', from: 'node-nfs:shared', mount_path: '/data' }];
  await platform.json('POST', '/deployments', deployment('ep1', { mounts }));
  mkdirSync(path.join(platform.stateFolder, 'storage/shared/a/b'), { recursive: true });
  await upload('/shared/a/b/c', 'x');
  await status('DELETE', '/shared/a/b/c');
  expect(await leaves()).toEqual(['shared:/a/b']);
  await platform.json('DELETE', '/deployments/ep1');
  await eventually(async () => (await leaves()).length === 0);
});

test('concurrent changes in one folder do not collide with its removal', async () => {
  const round = async (index: number) => {
    expect((await upload(`/default/runs/${index}/a`, 'x')).status).toBe(200);
    expect(await status('DELETE', `/default/runs/${index}?removeall=true`)).toBe(200);
  };
  await Promise.all(Array.from({ length: 20 }, (_, index) => round(index)));
  expect(await leaves()).toEqual([]);
});

test('a folder that goes away while it is read was not found', async () => {
  const seen = new Set<number>();
  for (let round = 0; round < 25; round += 1) {
    await status('PUT', '/default/run/task');
    const reads = Array.from({ length: 12 }, () => status('GET', '/default/run'));
    const removals = [
      status('DELETE', '/default/run/task?removeall=true'),
      status('DELETE', '/default/run?removeall=true'),
    ];
    for (const answer of await Promise.all([...reads, ...removals])) seen.add(answer);
  }
  expect([...seen].filter((answer) => answer !== 200 && answer !== 404)).toEqual([]);
  expect(await status('GET', '/default/run')).toBe(404);
});

test.each(['/default/../../secret', '/default/%2e%2e/x', '/default/a%2f..%2f..%2fx', '/default/a%00b', '/../default'])(
  '%s does not escape the file system',
  async (at) => {
    writeFileSync(path.join(platform.root, 'secret'), 'content of it');
    // Unlike fetch(), a raw request does not resolve dots.
    const { request } = await import('node:http');
    const options = { port: platform.port, path: `/api/v2/workspaces/local/storage${at}` };
    const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      request({ ...options, headers: { authorization: `Bearer ${platform.token}` } }, (response) => {
        let text = '';
        response.on('data', (bytes: Buffer) => (text += bytes.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      })
        .on('error', reject)
        .end();
    });
    // If dots are resolved before routing, the rest names another file system, which is empty.
    expect([400, 404, 200]).toContain(answer.status);
    if (answer.status === 200) expect(answer.text).toBe('[]');
    expect(answer.text).not.toContain('content of it');
  },
);

test('links are followed only within a file system', async () => {
  const root = path.join(platform.stateFolder, 'storage/default');
  mkdirSync(path.join(root, 'run'), { recursive: true });
  writeFileSync(path.join(root, 'run/real'), 'inside');
  writeFileSync(path.join(platform.root, 'outside'), 'outside');
  symlinkSync('real', path.join(root, 'run/good'));
  symlinkSync(path.join(platform.root, 'outside'), path.join(root, 'run/bad'));
  symlinkSync(platform.root, path.join(root, 'run/way-out'));
  const listed = await platform.json('GET', '/storage/default/run');
  expect(listed.map((entry: { name: string }) => entry.name)).toEqual(['good', 'real']);
  expect(await (await platform.call('GET', '/storage/default/run/good')).text()).toBe('inside');
  expect(await status('GET', '/default/run/bad')).toBe(403);
  expect(await status('GET', '/default/run/way-out/outside')).toBe(403);
  expect((await upload('/default/run/way-out/planted', 'x')).status).toBe(403);
  expect(await status('DELETE', '/default/run/way-out/outside')).toBe(403);
  expect(await status('DELETE', '/default/run/bad')).toBe(200); // the link itself
  expect(await status('DELETE', '/default/run?removeall=true')).toBe(200);
  const { readFileSync } = await import('node:fs');
  expect(readFileSync(path.join(platform.root, 'outside'), 'utf8')).toBe('outside');
});

test('pipes, devices and recursive links are not listed, and folders deeper than the maximum path length can be removed', async () => {
  const run = path.join(platform.stateFolder, 'storage/default/odd');
  mkdirSync(path.join(run, 'a/b'), { recursive: true });
  writeFileSync(path.join(run, 'real'), 'inside');
  linkSync(path.join(run, 'real'), path.join(run, 'hard'));
  execFileSync('mkfifo', [path.join(run, 'pipe')]);
  symlinkSync('pipe', path.join(run, 'to-pipe'));
  symlinkSync('/dev/zero', path.join(run, 'zero'));
  symlinkSync('.', path.join(run, 'self'));
  symlinkSync('../..', path.join(run, 'a/b/up'));
  symlinkSync('a', path.join(run, 'to-a'));
  const names = async (at: string): Promise<string[]> =>
    (await platform.json('GET', `/storage/default/${at}`)).map(({ name }: { name: string }) => name);
  expect(await names('odd')).toEqual(['a', 'hard', 'real', 'to-a']);
  expect(await names('odd/a/b')).toEqual([]);
  expect(await status('GET', '/default/odd/to-pipe')).toBe(404);
  expect(await status('GET', '/default/odd/zero')).toBe(403);
  await nestDeeply(run);
  expect((await platform.json('GET', '/storage/du')).status.total_usage_bytes).toBeGreaterThan(0);
  expect(await status('DELETE', '/default/odd?removeall=true')).toBe(200);
  expect(await leaves()).toEqual([]);
});

test('file systems are listed, and du adds up their sizes', async () => {
  await upload('/shared/a', '12345');
  expect(await platform.json('GET', '/storage')).toEqual([
    { metadata: { name: 'default' }, status: { total_usage_bytes: 5 } },
    { metadata: { name: 'shared' }, status: { total_usage_bytes: 5 } },
  ]);
  expect((await platform.json('GET', '/storage/du')).status.total_usage_bytes).toBe(5);
  expect(await platform.json('GET', '/storage/default/')).toEqual([]);
});

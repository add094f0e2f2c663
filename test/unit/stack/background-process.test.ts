import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startInBackground } from '../../../src/stack/background-process';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-background-'));
});
afterEach(() => rm(folder, { recursive: true }));

// Whether the process is gone before it can be identified depends on the machine; blocking this thread makes sure of it.
test('the error about a process that ends before it can be identified contains its output', async () => {
  const log = path.join(folder, 'x.log');
  const starting = startInBackground({
    file: '/bin/sh',
    args: ['-c', 'echo no luck; exit 1'],
    env: {},
    cwd: folder,
    log,
  });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
  await expect(starting).rejects.toThrow(`/bin/sh could not be started: it ended at once.\nno luck\nIts log: ${log}`);
});

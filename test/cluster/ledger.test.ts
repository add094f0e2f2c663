import { execa } from 'execa';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { processIdentity } from '../../src/support/process-identity';
import { freshFolder } from '../support/folders';
import { endStaleClusters, openClusterFolder } from './ledger';
import { startServer } from './server-process';

const root = path.resolve(__dirname, '..', '..');

let place: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => {
  place = await freshFolder('ledger');
});
afterAll(() => place.dispose());

/** A process that opens a cluster's folder, starts a server, prints its pid, and stays. */
const owner = (within: string): string => `
  const { openClusterFolder, noteServer } = require('./test/cluster/ledger');
  const { spawn } = require('node:child_process');
  openClusterFolder(${JSON.stringify(within)}).then((folder) => {
    const server = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    noteServer(folder, server.pid);
    console.log(server.pid);
    setInterval(() => undefined, 1000);
  });`;

test('the servers of a cluster whose owner was killed are ended, and no others', async () => {
  const own = await openClusterFolder(place.path);
  const living = startServer('sleep', ['600'], { folder: own });
  try {
    const killed = execa(process.execPath, ['--require', './scripts/typescript.cjs', '--eval', owner(place.path)], {
      cwd: root,
      reject: false,
    });
    const [line] = (await once(killed.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(processIdentity(pid)).toBeDefined();
    expect(await endStaleClusters(place.path)).toEqual([]);
    killed.kill('SIGKILL');
    await killed;
    expect(await endStaleClusters(place.path)).toEqual([expect.stringContaining('evalsaga-cluster-')]);
    expect(processIdentity(pid)).toBeUndefined();
    expect(await readdir(place.path)).toEqual([path.basename(own)]);
  } finally {
    await living.end('SIGTERM');
  }
  expect(existsSync(own)).toBe(true);
});

import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { homePaths } from '../../../src/home/paths';
import { endProcess, startInBackground, withoutStack } from '../../../src/stack/background-process';
import { backgroundEnv, withoutSecretsOf } from '../../../src/stack/background-env';
import { saysPortIsTaken, startOnFreePorts } from '../../../src/stack/free-port-start';
import { freePort } from '../../../src/support/ports';
import { logFile, type ServiceRecord } from '../../../src/stack/record';

let root: string;
let held: Server;
let heldPort: number;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'evalsaga-ports-'));
  held = createServer();
  held.listen(0, '127.0.0.1');
  await once(held, 'listening');
  heldPort = (held.address() as AddressInfo).port;
});
afterAll(async () => {
  held.close();
  await rm(root, { recursive: true, force: true });
});

const home = () => homePaths({ EVALSAGA_HOME: root });

/** Starts a service of one line of code on this port. */
async function begin(port: number, code: string): Promise<ServiceRecord> {
  const log = logFile(home(), 'codec');
  const args = ['-e', code.replaceAll('PORT', String(port))];
  const started = await startInBackground({ file: process.execPath, args, env: {}, cwd: root, log });
  return { ...started, startedAt: new Date().toISOString(), ports: { http: port }, setup: 'test' };
}

async function untilListens({ ports }: ServiceRecord): Promise<number> {
  for (;;) {
    const socket = connect(ports['http'] ?? 0, '127.0.0.1');
    const state = await Promise.race([
      once(socket, 'connect').then(() => 'open'),
      once(socket, 'close').then(() => 'closed'),
    ]).catch(() => 'closed');
    socket.destroy();
    if (state === 'open') return ports['http'] ?? 0;
  }
}

test('a service whose port was taken in the meantime is started on another port', async () => {
  const asked: number[] = [];
  const { record, answer } = await startOnFreePorts({
    name: 'codec',
    home: home(),
    start: async (taken) => {
      // On the first attempt the port was free a moment ago. That one may end before it is recorded, and then `taken` lacks its port.
      const port = asked.length === 0 ? heldPort : await freePort([heldPort], taken);
      asked.push(port);
      return begin(port, 'require("net").createServer().listen(PORT, "127.0.0.1")');
    },
    // The first attempt must fail because the process ends, since another process listens on its port.
    answers: (record) =>
      record.ports['http'] === heldPort ? new Promise<number>(() => undefined) : untilListens(record),
  });
  await endProcess(record, 0);
  expect(asked).toEqual([heldPort, answer]);
  expect(answer).not.toBe(heldPort);
});

test('so is one that has ended before it could be recorded', async () => {
  let starts = 0;
  const { answer } = await startOnFreePorts({
    name: 'codec',
    home: home(),
    start: async (taken) => {
      starts += 1;
      if (starts > 1)
        return begin(await freePort([], taken), 'require("net").createServer().listen(PORT, "127.0.0.1")');
      appendFileSync(logFile(home(), 'codec'), 'Error: listen EADDRINUSE\n');
      throw new Error('it ended at once');
    },
    answers: async (record) => {
      const port = await untilListens(record);
      await endProcess(record, 0);
      return port;
    },
  });
  expect({ starts, port: answer > 0 }).toEqual({ starts: 2, port: true });
});

test('a service that ends for another reason is not started again; the error has the end of its log', async () => {
  let starts = 0;
  const starting = startOnFreePorts({
    name: 'codec',
    home: home(),
    start: (taken) => {
      starts += 1;
      return freePort([], taken).then((port) => begin(port, 'throw new Error("no such database")'));
    },
    answers: () => new Promise<void>(() => undefined),
  });
  await expect(starting).rejects.toThrow(/"codec" has ended\.\n[^]*no such database/);
  expect(starts).toBe(1);
});

test('stack traces are removed from the end of a log', () => {
  const go =
    'panic: listen tcp 127.0.0.1:7233: bind: address already in use\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:18 +0x8e\n';
  expect(withoutStack(go)).toBe('panic: listen tcp 127.0.0.1:7233: bind: address already in use');
  expect(withoutStack('Error: listen EADDRINUSE\n    at Server.x (node:net:1)\n    at y\n\nNode.js v22')).toBe(
    'Error: listen EADDRINUSE\n\nNode.js v22',
  );
  expect([go, "Port 1 of 127.0.0.1 can't be listened on (EADDRINUSE)."].map(saysPortIsTaken)).toEqual([true, true]);
  expect(saysPortIsTaken('no such database')).toBe(false);
});

describe('the environment of background processes', () => {
  const token = 'hf_CANARYhub0123456789abcdefghijkl';
  const harmless = { PATH: '/bin', HF_HOME: '/data/hub', MODE: 'staging', HTTPS_PROXY: 'http://me:pass-word1@proxy:1' };
  const env = { ...harmless, HF_TOKEN: token, ODDLY_NAMED: token, JUDGE_LOGIN: 'correct-horse-battery-7' };

  test('has no secret, recognised by its name or its form', () => {
    const kept = { ...harmless, JUDGE_LOGIN: 'correct-horse-battery-7', NO_COLOR: '1' };
    expect(backgroundEnv({ env })).toEqual(kept);
    // Temporal's server and the codec fetch nothing.
    const { HTTPS_PROXY, ...local } = kept;
    expect(HTTPS_PROXY).toBeDefined();
    expect(backgroundEnv({ env: { ...env, UV_INDEX_URL: 'https://me:pw@x' }, isLocal: true })).toEqual(local);
  });

  test('has none of the secrets that the run references, but everything that a process needs', () => {
    expect(withoutSecretsOf(env, env)).toEqual(harmless);
    expect(withoutSecretsOf(env, {})).toEqual(env);
  });
});

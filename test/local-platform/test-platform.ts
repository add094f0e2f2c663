import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths } from '../../src/home/paths';
import { startPlatform, type PlatformOptions, type RunningPlatform } from '../../src/local-platform/index';

/** A platform in a home of its own, and ways to call it. */
export interface TestPlatform extends RunningPlatform {
  readonly root: string;
  readonly stateFolder: string;
  /** `path` below the workspace. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  // Tests read responses as a client in another language would, without types.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  json(method: string, path: string, body?: unknown): Promise<any>;
  /** `path` below the server's root. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  sim(path: string): Promise<any>;
  /** Stops it and starts it again on the same state. */
  restarted(): Promise<TestPlatform>;
  /** Stops it and removes its home. */
  dispose(): Promise<void>;
}

export type TestOptions = Partial<Omit<PlatformOptions, 'home' | 'plan'>> & { plan?: string; root?: string };

export async function testPlatform(options: TestOptions = {}): Promise<TestPlatform> {
  const { plan, root = mkdtempSync(path.join(tmpdir(), 'evalsaga-platform-')), ...rest } = options;
  const planFile = path.join(root, 'plan.yaml');
  if (plan !== undefined) writeFileSync(planFile, plan);
  const running = await startPlatform({
    runtime: 'simulated',
    port: 0,
    home: homePaths({ EVALSAGA_HOME: root }),
    ...(plan === undefined ? {} : { plan: planFile }),
    ...rest,
  });
  const call: TestPlatform['call'] = (method, at, body, headers = {}) =>
    fetch(`${running.url}${at}`, {
      method,
      headers: {
        authorization: `Bearer ${running.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return {
    ...running,
    root,
    stateFolder: path.join(root, 'platform-simulated'),
    call,
    json: async (method, at, body) => {
      const response = await call(method, at, body);
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
    sim: async (at) => {
      const headers = { authorization: `Bearer ${running.token}` };
      return (await fetch(`http://127.0.0.1:${running.port}/__sim${at}`, { headers })).json();
    },
    restarted: async () => {
      await running.close();
      return testPlatform({ ...options, root });
    },
    dispose: async () => {
      await running.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Calls `look` until it returns something, for at most so many seconds. */
export async function eventually<T>(
  look: () => Promise<T | undefined | false>,
  what = 'the condition',
  seconds = 60,
): Promise<T> {
  const end = Date.now() + seconds * 1_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(20);
  }
}

export const deployment = (name: string, spec: Record<string, unknown> = {}) => ({
  metadata: { id: name, name },
  spec: {
    container: { image: 'img:1' },
    resource_requirement: { resource_shape: 'cpu.small', min_replicas: 1 },
    ...spec,
  },
});

export const job = (name: string, spec: Record<string, unknown> = {}) => ({
  metadata: { id: name },
  spec: { container: { image: 'img:1', command: ['true'] }, resource_shape: 'cpu.small', ...spec },
});

export const stateOf = async (platform: TestPlatform, name: string): Promise<string> =>
  (await platform.json('GET', `/deployments/${name}`)).status.state;

/** States that pass quickly, for tests that are about something else. */
export const quickPlan = `
endpoints: { default: { states: [[Starting, 20ms], [Ready]] } }
jobs: { default: { states: [[Running, 20ms], [Completed]] } }
`;

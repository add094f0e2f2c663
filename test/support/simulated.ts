import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { HomePaths } from '../../src/home/paths';
import { startPlatform } from '../../src/local-platform';

/** A plan file of the simulated platform, as an object. */
export interface SimulatedPlan {
  endpoints?: { default?: object; match?: object[] };
  jobs?: { default?: object; match?: object[] };
  storage?: object;
  faults?: object[];
}

/** Quick states, so that a test takes seconds. */
export const quickPlan: SimulatedPlan = {
  endpoints: { default: { states: [['Starting', '200ms'], ['Ready']] } },
  jobs: { default: { states: [['Queueing', '100ms'], ['Running', '300ms'], ['Completed']] } },
};

export interface RecordedRequest {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface SimulatedPlatform {
  readonly url: string;
  readonly workspace: string;
  readonly token: string;
  inventory(): Promise<{ deployments: string[]; jobs: string[]; storage: string[] }>;
  requests(): Promise<RecordedRequest[]>;
  /** Lets requests deferred by faults (`apply_after: told`) take effect; resolves to their number. */
  land(): Promise<number>;
  /** Ends running jobs from outside; resolves to their number. */
  endJobs(name: string, by: string): Promise<number>;
  close(): Promise<void>;
}

/** Starts the simulated platform in this process as the home's local platform, with the home's access file. */
export async function startSimulated(home: HomePaths, plan: SimulatedPlan, port = 0): Promise<SimulatedPlatform> {
  const file = path.join(home.root, `plan-${Date.now()}.yaml`);
  await writeFile(file, stringify({ ...quickPlan, ...plan }));
  const platform = await startPlatform({ runtime: 'simulated', plan: file, port, home, stateFolder: home.platform });
  const root = new URL(platform.url).origin;
  const ask = async (route: string): Promise<unknown> => {
    const response = await fetch(`${root}${route}`, { headers: { authorization: `Bearer ${platform.token}` } });
    if (!response.ok) throw new Error(`${route} answered ${response.status}`);
    return response.json();
  };
  return {
    url: platform.url,
    workspace: platform.workspace,
    token: platform.token,
    inventory: () => ask('/__sim/inventory') as ReturnType<SimulatedPlatform['inventory']>,
    requests: () => ask('/__sim/requests') as ReturnType<SimulatedPlatform['requests']>,
    land: async () => {
      const headers = { authorization: `Bearer ${platform.token}` };
      const answer = await fetch(`${root}/__sim/land`, { method: 'POST', headers });
      return ((await answer.json()) as { landed: number }).landed;
    },
    endJobs: async (name, by) => {
      const headers = { authorization: `Bearer ${platform.token}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ name, by });
      const answer = await fetch(`${root}/__sim/end`, { method: 'POST', headers, body });
      return ((await answer.json()) as { ended: number }).ended;
    },
    close: () => platform.close(),
  };
}

export const emptyInventory = { deployments: [], jobs: [], storage: [] };

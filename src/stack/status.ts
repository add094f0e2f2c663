import type { HomePaths } from '../home/paths';
import {
  isMissing,
  isRunning,
  logFile,
  readRecord,
  serviceNames,
  type ServiceName,
  type ServiceRecord,
} from './record';

export interface ServiceStatus {
  readonly name: ServiceName;
  /** `died`: it was started and not stopped, yet it does not run. */
  readonly state: 'running' | 'died' | 'stopped';
  readonly pid: number | null;
  /** ISO 8601. */
  readonly since: string | null;
  /** Ports by use, while it runs. */
  readonly ports: Readonly<Record<string, number>>;
  readonly log: string;
  /** Of a worker that runs: whose work it does. */
  readonly serves?: NonNullable<ServiceRecord['serves']>;
}

/** What runs of this home's background processes; looks at this machine only, asks no server. */
export async function stackStatus(home: HomePaths): Promise<readonly ServiceStatus[]> {
  const statuses = await Promise.all(
    serviceNames.map(async (name) => {
      const record = await readRecord(home, name);
      const log = logFile(home, name);
      const state = isMissing(record) ? 'died' : 'stopped';
      if (isRunning(record)) {
        const { pid, startedAt, ports, serves } = record;
        return { name, state: 'running', pid, since: startedAt, ports, log, ...(serves ? { serves } : {}) } as const;
      }
      // Most homes never have one.
      if (record === undefined && name === 'codec') return undefined;
      return { name, state, pid: null, since: null, ports: {}, log } as const;
    }),
  );
  return statuses.filter((status) => status !== undefined);
}

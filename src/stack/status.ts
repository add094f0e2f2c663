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
  /** `died`: it has ended without being stopped. */
  readonly state: 'running' | 'died' | 'stopped';
  readonly pid: number | null;
  /** ISO 8601. */
  readonly since: string | null;
  /** Ports by use, while it runs. */
  readonly ports: Readonly<Record<string, number>>;
  readonly log: string;
  /** Of a running worker: the task queue that it serves. */
  readonly serves?: NonNullable<ServiceRecord['serves']>;
}

/** Returns the state of this home's background processes, without a request to any server. */
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
      // Most homes never need a codec server.
      if (record === undefined && name === 'codec') return undefined;
      return { name, state, pid: null, since: null, ports: {}, log } as const;
    }),
  );
  return statuses.filter((status) => status !== undefined);
}

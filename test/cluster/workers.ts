import { bareEnvironment, startProgram, type Running } from '../support/program';

/** Workers of one test file, each in a process of its own. */
export interface Workers {
  /** Starts one; resolves once it takes work. `settings`: further environment variables. */
  start(settings?: Readonly<Record<string, string>>): Promise<Running>;
}

export interface WorkerFleet {
  on(queue: { readonly home: { readonly root: string }; readonly taskQueue: string }): Workers;
  /** Ends those that still run. */
  end(): Promise<void>;
}

/** `address`: of Temporal, `host:port`. */
export function workerFleet(address: () => string): WorkerFleet {
  const started: Running[] = [];
  return {
    on: ({ home, taskQueue }) => ({
      async start(settings = {}) {
        const variables = { EVALSAGA_HOME: home.root, EVALSAGA_TASK_QUEUE: taskQueue, EVALSAGA_LOG_LEVEL: 'info' };
        const env = { ...bareEnvironment(), ...variables, TEMPORAL_ADDRESS: address(), ...settings };
        const worker = startProgram(['worker'], { cwd: home.root, env });
        started.push(worker);
        await worker.untilStderr(/RUNNING/);
        return worker;
      },
    }),
    async end() {
      for (const worker of started) worker.signal('SIGTERM');
      await Promise.all(started.map(({ finished }) => finished));
    },
  };
}

/** Names of that many tasks. */
export const taskNames = (count: number): string[] => Array.from({ length: count }, (_, index) => `task-${index}`);

/** Limits that a busy machine keeps. */
export const patientLimits = { endpointReadySeconds: 600, jobSeconds: 600, teardownSeconds: 600 } as const;

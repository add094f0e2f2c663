import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { TestBedWorker } from './test-bed';
import { openTemporalGateway, type WatchedCase, type TemporalGateway } from './temporal-gateway';

/** Workers that are reused by later cases, because starting one takes longer than a case. */
export interface WorkerPool {
  borrow(watched: WatchedCase): Promise<TestBedWorker>;
  close(): Promise<void>;
}

interface PooledWorker {
  readonly taskQueue: string;
  readonly temporal: TemporalGateway;
  deaths(): number;
  close(): Promise<void>;
}

export function workerPool(options: {
  /** `host:port` of the server. */
  readonly target: string;
  readonly common: Omit<WorkerOptions, 'taskQueue' | 'connection'>;
}): WorkerPool {
  const free: PooledWorker[] = [];
  let made = 0;
  const giveBack = async (worker: PooledWorker, deathsBefore: number): Promise<void> => {
    const { temporal } = worker;
    temporal.attend(undefined);
    // Breaks polls that a fault left unanswered, which the worker would wait for.
    temporal.sever(0);
    const isHealthy = await temporal.untilPolled().then(
      () => worker.deaths() === deathsBefore,
      () => false,
    );
    if (isHealthy) free.push(worker);
    else await worker.close();
  };
  return {
    async borrow(watched) {
      const worker = free.pop() ?? (await startPooledWorker(`chaos-own-${(made += 1)}`, options));
      const deathsBefore = worker.deaths();
      worker.temporal.attend(watched);
      return {
        taskQueue: worker.taskQueue,
        temporal: worker.temporal,
        kill: () => Promise.reject(new Error('the worker is part of this process')),
        deaths: () => worker.deaths() - deathsBefore,
        close: () => giveBack(worker, deathsBefore),
      };
    },
    async close() {
      await Promise.all(free.map((worker) => worker.close()));
    },
  };
}

/** Starts a worker in this process on its own connection, and another whenever it ends by itself. */
async function startPooledWorker(
  taskQueue: string,
  { target, common }: Parameters<typeof workerPool>[0],
): Promise<PooledWorker> {
  const temporal = await openTemporalGateway({ target, side: 'worker' });
  const connection = await NativeConnection.connect({ address: temporal.address });
  const create = () => Worker.create({ ...common, connection, taskQueue, maxCachedWorkflows: 40 });
  let closing = false;
  let deaths = 0;
  let worker = await create();
  const serve = async (): Promise<void> => {
    while (!closing) {
      await worker.run().catch(() => undefined);
      if (closing) return;
      deaths += 1;
      worker = await create();
    }
  };
  const serving = serve();
  await temporal.untilPolled();
  return {
    taskQueue,
    temporal,
    deaths: () => deaths,
    async close() {
      closing = true;
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await serving;
      await connection.close();
      await temporal.close();
    },
  };
}

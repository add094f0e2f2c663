import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { StandWorker } from './stand';
import { openTemporalGateway, type Attended, type TemporalGateway } from './temporal-gateway';

/** Workers that stay when their case is over: making one costs more than a case does. */
export interface StandingWorkers {
  borrow(attended: Attended): Promise<StandWorker>;
  close(): Promise<void>;
}

interface Standing {
  readonly taskQueue: string;
  readonly temporal: TemporalGateway;
  deaths(): number;
  close(): Promise<void>;
}

export function standingWorkers(options: {
  /** `host:port` of the server. */
  readonly target: string;
  readonly common: Omit<WorkerOptions, 'taskQueue' | 'connection'>;
}): StandingWorkers {
  const free: Standing[] = [];
  let made = 0;
  const giveBack = async (worker: Standing, deathsBefore: number): Promise<void> => {
    const { temporal } = worker;
    temporal.attend(undefined);
    // Polls that were never answered would be waited for.
    temporal.sever(0);
    const isWell = await temporal.untilPolled().then(
      () => worker.deaths() === deathsBefore,
      () => false,
    );
    if (isWell) free.push(worker);
    else await worker.close();
  };
  return {
    async borrow(attended) {
      const worker = free.pop() ?? (await standingWorker(`chaos-own-${(made += 1)}`, options));
      const deathsBefore = worker.deaths();
      worker.temporal.attend(attended);
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

/** A worker in this process, on a connection of its own; another follows one that ends by itself. */
async function standingWorker(
  taskQueue: string,
  { target, common }: Parameters<typeof standingWorkers>[0],
): Promise<Standing> {
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

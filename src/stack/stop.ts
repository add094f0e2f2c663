import type { HomePaths } from '../home/paths';
import type { Report } from '../provision/once';
import { endProcess } from './background-process';
import { withStackLock } from './lock';
import { isRunning, readRecord, writeRecord, type ServiceName } from './record';
import { SERVICE_GRACE_MS } from './stack';
import { WORKER_GRACE_MS } from './worker-service';

/** The worker ends first, since it returns its work to Temporal, which ends last. */
const order: readonly (readonly [ServiceName, number])[] = [
  ['worker', WORKER_GRACE_MS],
  ['platform', SERVICE_GRACE_MS],
  ['codec', SERVICE_GRACE_MS],
  ['temporal', SERVICE_GRACE_MS],
];

/** Ends this home's background processes gracefully; returns those that were running. */
export async function stopStack(request: {
  home: HomePaths;
  report?: Report | undefined;
  signal?: AbortSignal | undefined;
}): Promise<readonly ServiceName[]> {
  return withStackLock(request, async () => {
    const stopped: ServiceName[] = [];
    for (const [name, graceMs] of order) {
      const record = await readRecord(request.home, name);
      if (isRunning(record)) {
        request.report?.(`stopping ${name}`);
        await endProcess(record, graceMs);
        stopped.push(name);
      }
      // The record keeps the ports, so that links to the Web UI and profiles stay valid.
      if (record !== undefined) await writeRecord(request.home, name, { ...record, stopped: true });
    }
    return stopped;
  });
}

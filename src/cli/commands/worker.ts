import { encryptionOf } from '../../encryption/data-converter';
import { connectClient } from '../../temporal/connect';
import { temporalTarget } from '../../temporal/target';
import type { CommandBody } from '../command';
import { done } from '../exit-code';

/** How long a server that is starting at the same moment may take. */
const SERVER_WITHIN_MS = 60_000;

/** `worker`: serves the task queue until SIGINT or SIGTERM. */
export const worker: CommandBody = async (_input, { home, env, output }) => {
  const { runWorker } = await import('../../worker.js');
  const target = temporalTarget(env);
  if (target.kind === 'cluster') {
    const client = await connectClient({
      ...target,
      dataConverter: encryptionOf(env).dataConverter,
      timeoutMs: SERVER_WITHIN_MS,
    });
    await client.connection.close();
    output.note(`worker for task queue ${target.taskQueue} in namespace ${target.namespace} at ${target.address}`);
  }
  await runWorker({ home, env });
  return done;
};

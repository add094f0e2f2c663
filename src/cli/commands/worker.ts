import { encryptionOf } from '../../temporal/encryption/data-converter';
import { connectClient } from '../../temporal/connect';
import { buildOf, type WorkerBuild } from '../../temporal/worker-build';
import { temporalTarget } from '../../temporal/target';
import type { CommandBody } from '../command';
import { done } from '../exit-code';

/** Milliseconds within which the server must answer; it may be starting at the same time. */
const connectWithinMs = 60_000;

/** `worker`: serves the task queue until SIGINT or SIGTERM. */
export const worker: CommandBody = async (_input, { home, env, output }) => {
  const { runWorker } = await import('../../worker.js');
  const target = temporalTarget(env);
  if (target.kind === 'cluster') {
    const client = await connectClient({
      ...target,
      dataConverter: encryptionOf(env).dataConverter,
      timeoutMs: connectWithinMs,
    });
    await client.connection.close();
    output.note(`worker for task queue ${target.taskQueue} in namespace ${target.namespace} at ${target.address}`);
    const build = buildOf(env);
    if (build) output.note(buildNote(build));
  }
  await runWorker({ home, env });
  return done;
};

/** Says how to make a build current: until then it silently gets no runs. */
const buildNote = ({ deploymentName, buildId }: WorkerBuild): string =>
  `build ${buildId} of deployment ${deploymentName}: runs start on it once it is current (temporal worker deployment set-current-version --deployment-name ${deploymentName} --build-id ${buildId})`;

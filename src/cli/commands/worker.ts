import { encryptionOf } from '../../temporal/encryption/data-converter';
import { connectClient } from '../../temporal/connect';
import { buildOf, type WorkerBuild } from '../../temporal/worker-build';
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
    const build = buildOf(env);
    if (build) output.note(aboutBuild(build));
  }
  await runWorker({ home, env });
  return done;
};

/** Without it a first build waits for ever, and looks well while it does. */
const aboutBuild = ({ deploymentName, buildId }: WorkerBuild): string =>
  `build ${buildId} of deployment ${deploymentName}: runs begin on it once it is current (temporal worker deployment set-current-version --deployment-name ${deploymentName} --build-id ${buildId})`;

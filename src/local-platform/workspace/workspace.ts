import type { FileSystems } from '../storage/file-systems';
import type { Runtime } from '../runtime';
import type { WorkspaceContext, WorkspaceFlags } from './context';
import { asDeploymentSpec, Deployments } from './deployments';
import { Jobs, runtimeJob } from './jobs';
import type { NodeGroups } from './node-groups';
import { Secrets } from './secrets';

/** How often state changes are recorded in histories. Reads always show the present state. */
const observeEveryMs = 100;

/** Everything below `/api/v2/workspaces/<id>`, apart from HTTP. */
export interface Workspace {
  readonly name: string;
  readonly newDialect: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly deployments: Deployments;
  readonly jobs: Jobs;
  readonly secrets: Secrets;
  readonly nodeGroups: NodeGroups;
  readonly storage: FileSystems;
  readonly runtime: Runtime;
  readonly flags: WorkspaceFlags;
}

/** Starts the runtime with the stored deployments and jobs, resumes interrupted work, and begins to record states. */
export async function openWorkspace(
  context: WorkspaceContext,
  parts: Pick<Workspace, 'name' | 'newDialect' | 'nodeGroups' | 'storage'>,
): Promise<Workspace> {
  const { state, runtime } = context;
  const deployments = new Deployments(context);
  const jobs = new Jobs(context);
  await runtime.start({
    deployments: state.deployments.values().map(({ name, spec }) => ({ name, spec: asDeploymentSpec(spec) })),
    jobs: state.jobs
      .values()
      .filter((record) => record.archived === undefined)
      .map(runtimeJob),
  });
  deployments.resume();
  jobs.resume();
  let scaling = false;
  const watch = setInterval(() => {
    deployments.observe();
    jobs.observe();
    if (!scaling) {
      scaling = true;
      context.background(deployments.scaleDownIdle().finally(() => (scaling = false)));
    }
  }, observeEveryMs);
  context.closing.addEventListener('abort', () => clearInterval(watch), { once: true });
  return {
    ...parts,
    createdAt: state.createdAt,
    deployments,
    jobs,
    secrets: new Secrets(context),
    runtime,
    flags: context.flags,
  };
}

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { writePrivateJson } from '../../../support/atomic-file';
import type { DeploymentSpecBody, JobSpecBody, RuntimeHost, RuntimeNote } from '../../runtime';
import { shapes } from '../../workspace/shapes';
import { numberAt, objectAt } from '../../json';
import type { PlanJob } from '../process/jobs';
import type { PlanServer } from '../process/served-deployment';
import { specEnvironment } from '../process/process-env';
import { jobFolders } from '../process/job-plan';
import { limitsFor, type Limits } from '../process/limits/rule';
import { freePort } from '../process/ports';
import { readServerRequest } from '../process/server-command';
import { bearerTokens } from '../process/servers';
import { clientEnvironment, ensureImage } from './client';
import { containerName, environmentFile, runArguments, type Container } from './run-arguments';
import { FOLLOW_SCRIPT } from './units';

/** Port that a server listens on if its spec names none. */
const DEFAULT_PORT = 8000;

/** Plans a deployment as a container of its image, with its port published on loopback. */
export const planDockerServer =
  (daemon: { hasGpus: boolean }): PlanServer =>
  async ({ name, spec, host, portFile, report, signal }) => {
    const resources = spec.resource_requirement;
    const port = await freePort();
    const containerPort = spec.container?.ports?.[0]?.container_port ?? DEFAULT_PORT;
    const [key] = bearerTokens(spec, host);
    const { command, env, notes } = await planContainer({
      ...{ spec, host, daemon, report, signal, resource: name, unit: path.dirname(portFile) },
      shape: resources?.resource_shape,
      limits: limitsFor({ shape: resources?.resource_shape, cpu: resources?.cpu, memory: resources?.memory }),
      sharedMemory: numberAt(resources, 'shared_memory_size'),
      extraVariables: key === undefined ? {} : { VLLM_API_KEY: key },
      network: { kind: 'published', port, containerPort },
    });
    return { command, env, port, notes, weights: undefined, servedModel: readServerRequest(spec)?.servedModel };
  };

/** Plans a job as a container in the host's network, because the endpoints listen on the host's loopback. */
export const planDockerJob =
  (daemon: { hasGpus: boolean }): PlanJob =>
  async ({ id, spec, host, folder, report, signal }) => {
    const { command, env } = await planContainer({
      ...{ spec, host, daemon, report, signal, resource: id, unit: path.join(folder, 'unit') },
      shape: spec.resource_shape,
      limits: limitsFor({ shape: spec.resource_shape }),
      sharedMemory: numberAt(spec, 'shared_memory_size'),
      // Jobs share the host's network, so each needs an adapter port of its own.
      extraVariables: { ADAPTER_PORT: String(await freePort()) },
      network: { kind: 'host' },
    });
    return { command, env, cwd: jobFolders(folder).work };
  };

interface ContainerRequest {
  readonly spec: DeploymentSpecBody | JobSpecBody;
  readonly host: RuntimeHost;
  readonly daemon: { readonly hasGpus: boolean };
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
  readonly resource: string;
  /** Folder of the unit; the container's files are written parentFolder it. */
  readonly unit: string;
  readonly shape: string | undefined;
  readonly limits: Limits;
  readonly sharedMemory: number | undefined;
  readonly extraVariables: Readonly<Record<string, string>>;
  readonly network: Container['network'];
}

async function planContainer(request: ContainerRequest): Promise<{
  command: string[];
  env: Record<string, string>;
  notes: RuntimeNote[];
}> {
  const { spec, host, daemon, unit, limits, sharedMemory, network, resource, report, signal } = request;
  const image = spec.container?.image;
  if (!image) throw new Error('The spec names no image, and the docker runtime runs images.');
  const parentFolder = path.dirname(unit);
  const pull = await pullCredentials(spec, host, path.join(parentFolder, 'pull'));
  await ensureImage(image, { config: pull.config, report, signal });
  const variables = { ...request.extraVariables, ...specEnvironment(spec.envs, { host, mappings: [] }) };
  const { text, rest } = environmentFile(variables);
  const envFile = path.join(parentFolder, 'container.env');
  await writeFile(envFile, text, { mode: 0o600 });
  await chmod(envFile, 0o600);
  const wantedGpus = shapes.find(({ name }) => name === request.shape?.toLowerCase())?.acceleratorNum ?? 0;
  const container = {
    ...{ image, envFile, limits, sharedMemory, network, resource, state: host.stateFolder },
    command: spec.container?.command ?? [],
    envNames: Object.keys(rest),
    mounts: await bindMounts(spec, host),
    gpus: daemon.hasGpus ? wantedGpus : 0,
  };
  return {
    command: ['/bin/sh', FOLLOW_SCRIPT, unit, containerName(unit), ...runArguments(container)],
    // Last, because the container's variables must not override those of the docker CLI.
    env: { ...rest, ...clientEnvironment() },
    notes: [...pull.notes, ...(wantedGpus > 0 && !daemon.hasGpus ? [noGpuNote(request.shape)] : [])],
  };
}

async function bindMounts({ mounts }: Pick<JobSpecBody, 'mounts'>, host: RuntimeHost): Promise<Container['mounts']> {
  return Promise.all(
    (mounts ?? []).map(async (mount) => ({
      container: mount.mount_path,
      host: await host.mountFolder({ from: mount.from, path: mount.path }),
      readOnly: objectAt(mount, 'mount_options')['read_only'] === true,
    })),
  );
}

/**
 * Collects pull secrets, which are workspace secrets with a docker config (`{"auths": …}`); by default this machine's
 * logins are used.
 */
async function pullCredentials(
  spec: Readonly<Record<string, unknown>>,
  host: RuntimeHost,
  folder: string,
): Promise<{ config: string | undefined; notes: RuntimeNote[] }> {
  const wanted = spec['image_pull_secrets'];
  const names = Array.isArray(wanted) ? wanted.filter((name) => typeof name === 'string') : [];
  const auths: Record<string, unknown> = {};
  const unknown: string[] = [];
  for (const name of names) {
    const found = authsOf(host.secret(name));
    if (found === undefined) unknown.push(name);
    else Object.assign(auths, found);
  }
  const notes = unknown.map((name): RuntimeNote => {
    const message = `image_pull_secrets: ${name} is not a workspace secret with a docker config; this machine's docker logins are used.`;
    return { type: 'Warning', reason: 'PullSecret', message };
  });
  if (Object.keys(auths).length === 0) return { config: undefined, notes };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writePrivateJson(path.join(folder, 'config.json'), { auths });
  return { config: folder, notes };
}

function authsOf(secret: string | undefined): Record<string, unknown> | undefined {
  try {
    const auths = objectAt(JSON.parse(secret ?? ''), 'auths');
    return Object.keys(auths).length === 0 ? undefined : auths;
  } catch {
    return undefined;
  }
}

function noGpuNote(shape: string | undefined): RuntimeNote {
  const message = `docker has no NVIDIA runtime here: the container starts without the GPUs of ${shape ?? 'its shape'}.`;
  return { type: 'Warning', reason: 'NoGpu', message };
}

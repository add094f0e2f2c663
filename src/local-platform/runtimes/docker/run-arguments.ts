import { createHash } from 'node:crypto';
import type { PathMapping } from '../process/container-paths';
import type { Limits } from '../process/limits/rule';

/** What `docker run` is told. Pure. */
export interface Container {
  readonly image: string;
  /** Empty: the image's own. */
  readonly command: readonly string[];
  /** Which of a platform's resources it is: the platform's folder, and the resource's name or id. */
  readonly state: string;
  readonly resource: string;
  /** File with the variables, a line each. */
  readonly envFile: string;
  /** Variables that a line can't hold: their values are in the client's environment. */
  readonly envNames: readonly string[];
  readonly mounts: readonly (PathMapping & { readonly readOnly: boolean })[];
  readonly limits: Limits;
  readonly gpus: number;
  /** MiB of /dev/shm. */
  readonly sharedMemory: number | undefined;
  /** Published on loopback, or the machine's own network (in which its loopback is reached). */
  readonly network:
    { readonly kind: 'published'; readonly port: number; readonly containerPort: number } | { readonly kind: 'host' };
}

export const LABELS = { state: 'evalsaga.state', resource: 'evalsaga.resource' } as const;

/** Name of the container of the unit in `folder`. */
export function containerName(folder: string): string {
  return `evalsaga-${createHash('sha256').update(folder).digest('hex').slice(0, 20)}`;
}

/** The words after `docker run --detach --name NAME`. A command of the spec replaces the image's entry point, as on the service. */
export function runArguments(container: Container): string[] {
  const { image, command, limits, gpus, sharedMemory, network, mounts, envNames, envFile } = container;
  const [entryPoint, ...words] = command;
  return [
    ...['--label', `${LABELS.state}=${container.state}`, '--label', `${LABELS.resource}=${container.resource}`],
    ...['--env-file', envFile, ...envNames.flatMap((name) => ['--env', name])],
    ...mounts.flatMap((mount) => ['--mount', bindMount(mount)]),
    ...(limits.cpus === undefined ? [] : ['--cpus', String(limits.cpus)]),
    ...(limits.memoryMiB === undefined
      ? []
      : ['--memory', `${limits.memoryMiB}m`, '--memory-swap', `${limits.memoryMiB}m`]),
    ...(sharedMemory === undefined ? [] : ['--shm-size', `${sharedMemory}m`]),
    ...(gpus > 0 ? ['--gpus', String(gpus)] : []),
    ...(network.kind === 'host'
      ? ['--network', 'host']
      : ['--publish', `127.0.0.1:${network.port}:${network.containerPort}`]),
    ...(entryPoint === undefined ? [] : ['--entrypoint', entryPoint]),
    ...['--pull', 'never', image, ...words],
  ];
}

/** Text of an environment file, and the variables that it can't hold. */
export function environmentFile(variables: Readonly<Record<string, string>>): {
  text: string;
  rest: Record<string, string>;
} {
  const entries = Object.entries(variables);
  const fits = ([, value]: [string, string]): boolean => !/[\r\n]/.test(value);
  return {
    text: entries
      .filter(fits)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
    rest: Object.fromEntries(entries.filter((entry) => !fits(entry))),
  };
}

/** The option is a line of CSV. */
function bindMount({ host, container, readOnly }: PathMapping & { readonly readOnly: boolean }): string {
  const field = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const parts = ['type=bind', `source=${host}`, `target=${container}`, ...(readOnly ? ['readonly'] : [])];
  return parts.map(field).join(',');
}

import { createHash } from 'node:crypto';
import type { PathMapping } from '../process/container-paths';
import type { Limits } from '../process/limits/rule';

/** A container to run, from which the arguments of `docker run` are made. */
export interface Container {
  readonly image: string;
  /** Empty means the image's own command. */
  readonly command: readonly string[];
  /** The platform's state folder; with the resource's name or id it identifies the container. */
  readonly state: string;
  readonly resource: string;
  /** File with one variable per line. */
  readonly envFile: string;
  /** Names of multi-line variables, whose values are passed in the CLI's environment. */
  readonly envNames: readonly string[];
  readonly mounts: readonly (PathMapping & { readonly readOnly: boolean })[];
  readonly limits: Limits;
  readonly gpus: number;
  /** Size of /dev/shm in MiB. */
  readonly sharedMemory: number | undefined;
  /** A port published on loopback, or the host's network, where its loopback can be reached. */
  readonly network:
    { readonly kind: 'published'; readonly port: number; readonly containerPort: number } | { readonly kind: 'host' };
}

export const LABELS = { state: 'evalsaga.state', resource: 'evalsaga.resource' } as const;

/** Returns the name of the container of the unit in `folder`. */
export function containerName(folder: string): string {
  return `evalsaga-${createHash('sha256').update(folder).digest('hex').slice(0, 20)}`;
}

/**
 * Returns the arguments after `docker run --detach --name NAME`. As on the service, a spec's command replaces the
 * entry point. Pure.
 */
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

/** Returns the text of an environment file, and as `rest` the multi-line variables that it can't hold. Pure. */
export function environmentFile(variables: Readonly<Record<string, string>>): {
  text: string;
  rest: Record<string, string>;
} {
  const entries = Object.entries(variables);
  const isSingleLine = ([, value]: [string, string]): boolean => !/[\r\n]/.test(value);
  return {
    text: entries
      .filter(isSingleLine)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
    rest: Object.fromEntries(entries.filter((entry) => !isSingleLine(entry))),
  };
}

/** The value of `--mount` is a line of CSV. */
function bindMount({ host, container, readOnly }: PathMapping & { readonly readOnly: boolean }): string {
  const field = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const parts = ['type=bind', `source=${host}`, `target=${container}`, ...(readOnly ? ['readonly'] : [])];
  return parts.map(field).join(',');
}

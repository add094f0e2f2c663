import { loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { devNull } from 'node:os';
import { messageOf } from '../support/error-message';
import { defaultTaskQueue } from '../contract/identity';
import { InfrastructureError } from './infrastructure-error';

/**
 * The Temporal server that a command uses.
 * - `cluster`: one that the user runs or rents, named by `TEMPORAL_ADDRESS` or a temporal.toml profile.
 * - `embedded`: the development server of this home; its port is known once it runs.
 */
export type TemporalTarget =
  | {
      readonly kind: 'cluster';
      readonly connection: NativeConnectionOptions;
      readonly namespace: string;
      readonly address: string;
      readonly taskQueue: string;
    }
  | { readonly kind: 'embedded'; readonly namespace: typeof embeddedNamespace; readonly taskQueue: string };

export const embeddedNamespace = 'default';

export type Env = Readonly<Record<string, string | undefined>>;

/**
 * Returns the server that `TEMPORAL_*` variables and the temporal.toml file (`TEMPORAL_CONFIG_FILE`,
 * `TEMPORAL_PROFILE`) name: without an address, the embedded one. The task queue is `EVALSAGA_TASK_QUEUE` (default `evalsaga`).
 * Throws `InfrastructureError` if the file can't be read or has no such profile.
 */
export function temporalTarget(env: Env): TemporalTarget {
  const taskQueue = env['EVALSAGA_TASK_QUEUE'] || defaultTaskQueue;
  const { address, namespace, connection } = readProfile(env);
  if (!address) return { kind: 'embedded', namespace: embeddedNamespace, taskQueue };
  return { kind: 'cluster', connection, address, namespace: namespace ?? 'default', taskQueue };
}

function readProfile(env: Env): {
  address: string | undefined;
  namespace: string | undefined;
  connection: NativeConnectionOptions;
} {
  try {
    const { TEMPORAL_CONFIG_FILE: file, ...others } = definedOnly(env);
    // The SDK can't read an empty file.
    const named = file === undefined || file === devNull ? {} : { TEMPORAL_CONFIG_FILE: file };
    const profile = loadClientConfigProfile({
      overrideEnvVars: { ...others, ...named },
      disableFile: file === devNull,
    });
    const { connectionOptions } = toClientOptions(profile);
    return { address: profile.address, namespace: profile.namespace, connection: connectionOptions };
  } catch (error) {
    const file = env['TEMPORAL_CONFIG_FILE'] ?? 'temporal.toml in your configuration folder';
    const seen = messageOf(error);
    throw new InfrastructureError(
      `The Temporal connection profile cannot be used: ${seen}. Check TEMPORAL_PROFILE, the TEMPORAL_* variables and ${file}.`,
      { cause: error },
    );
  }
}

function definedOnly(env: Env): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/**
 * Names the namespace's id in the database of the server that a background worker was started for: that server may be gone, and another
 * one at its address, before the worker has asked.
 */
export const namespaceIdVariable = 'EVALSAGA_NAMESPACE_ID';

/** Whether `embeddedEnv` made the environment: it names the null device in place of a temporal.toml file. */
export const isEmbedded = (env: Env): boolean => env['TEMPORAL_CONFIG_FILE'] === devNull;

/**
 * Returns the `TEMPORAL_*` variables for a process that must use exactly this embedded server, whatever profile the user has. The
 * rest of its environment must have no other `TEMPORAL_*` variables.
 */
export function embeddedEnv(address: string): Record<string, string> {
  return { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: embeddedNamespace, TEMPORAL_CONFIG_FILE: devNull };
}

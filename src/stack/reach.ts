import type { DataConverter } from '@temporalio/common';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { encryptionOf } from '../temporal/encryption/data-converter';
import type { HomePaths } from '../home/paths';
import { temporalTarget, type Env, type TemporalTarget } from '../temporal/target';
import { isRunning, readRecord, type ServiceRecord } from './record';

/** How a command reaches its Temporal server. */
export interface TemporalReach {
  readonly address: string;
  readonly namespace: string;
  readonly connection: NativeConnectionOptions;
  /** Encrypts and decrypts with the user's key, if one is set. */
  readonly dataConverter: DataConverter;
  readonly isEncrypted: boolean;
  /** Base URL of the Web UI, if known. */
  readonly uiBase: string | undefined;
  /** Whether it is the home's own server. */
  readonly isEmbedded: boolean;
}

/** Finds the running Temporal server, without starting one; `undefined` if the embedded server does not run. */
export async function findTemporal(home: HomePaths, env: Env): Promise<TemporalReach | undefined> {
  const target = temporalTarget(env);
  return target.kind === 'cluster' ? clusterReach(target, env) : findEmbedded(home, env);
}

/** Finds the home's own server, whichever server the environment names; `undefined` if it does not run. */
export async function findEmbedded(home: HomePaths, env: Env): Promise<TemporalReach | undefined> {
  const record = await readRecord(home, 'temporal');
  return isRunning(record) ? embeddedReach(record, env) : undefined;
}

export function clusterReach(target: Extract<TemporalTarget, { kind: 'cluster' }>, env: Env): TemporalReach {
  const { address, namespace, connection } = target;
  return { address, namespace, connection, ...encrypting(env), uiBase: env['TEMPORAL_UI_URL'], isEmbedded: false };
}

export function embeddedReach({ ports }: ServiceRecord, env: Env): TemporalReach {
  const address = `127.0.0.1:${ports['grpc']}`;
  const uiBase = `http://127.0.0.1:${ports['ui']}`;
  return { address, namespace: 'default', connection: { address }, ...encrypting(env), uiBase, isEmbedded: true };
}

function encrypting(env: Env): Pick<TemporalReach, 'dataConverter' | 'isEncrypted'> {
  const { dataConverter, isOn } = encryptionOf(env);
  return { dataConverter, isEncrypted: isOn };
}

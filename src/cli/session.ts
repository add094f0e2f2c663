import type { Client } from '@temporalio/client';
import { checkHome } from '../home/usable';
import { connectClient } from '../temporal/connect';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { webUiUrl } from '../temporal/web-ui';
import { runWorkflowId } from '../contract/identity';
import { findTemporal, type TemporalReach } from '../stack/stack';
import type { CommandContext } from './command';
import { harmlessLine } from '../support/terminal-text';
import { UsageError } from './usage-error';
import { programName } from './program-name';

/** A connection for a command that asks about runs. */
export interface Session {
  readonly client: Client;
  readonly temporal: TemporalReach;
}

/** Connects to the Temporal server that there is; starts nothing. Throws `InfrastructureError`. */
export async function openSession({ home, env }: CommandContext): Promise<Session> {
  await checkHome(home);
  const temporal = await findTemporal(home, env);
  if (!temporal) {
    throw new InfrastructureError(
      `The background processes of this home (${home.root}) do not run, so nobody knows of runs. Start them with: ${programName(env)} up`,
    );
  }
  return { client: await connectClient({ ...temporal, timeoutMs: 5_000 }), temporal };
}

/** `runId`: opens the table of tasks, as the Web UI of this machine's server shows it; others may be too old for that. */
export function runUrl({ temporal }: Pick<Session, 'temporal'>, invocation: string, runId?: string): string | null {
  const isOurs = /^http:\/\/(127\.0\.0\.1|localhost):/.test(temporal.uiBase ?? '');
  const workflowId = runWorkflowId(invocation);
  return webUiUrl({ ...temporal, base: temporal.uiBase, workflowId, runId: isOurs ? runId : undefined });
}

/** `<id>` or `<id>.<task index>`. */
export interface RunAddress {
  readonly prefix: string;
  readonly index: number | undefined;
}

/** Throws `UsageError` for something that is neither. */
export function runAddress(text: string | undefined): RunAddress {
  if (text === undefined) throw new UsageError('Say which run: its id or the first digits of it.');
  const [prefix = '', index, ...rest] = text
    .toLowerCase()
    .replace(/^eval-/, '')
    .split('.');
  if (rest.length > 0 || !/^[0-9a-f]{1,16}$/.test(prefix) || (index !== undefined && !/^\d{1,6}$/.test(index))) {
    throw new UsageError(
      `"${harmlessLine(text)}" is neither a run's id (16 hexadecimal digits, or the first few of them) nor that of a task (3f2a….0).`,
    );
  }
  return { prefix, index: index === undefined ? undefined : Number(index) };
}

/** Throws `UsageError` when the run has no such task. */
export function checkIndex(
  index: number | undefined,
  tasks: readonly { readonly index: number; readonly name: string }[],
): void {
  if (index === undefined || tasks.some((task) => task.index === index)) return;
  const known = tasks.slice(0, 10).map((task) => `${task.index} ${task.name}`);
  throw new UsageError(`This run has no task ${index}. It has: ${known.join(', ')}${tasks.length > 10 ? ', …' : ''}.`);
}

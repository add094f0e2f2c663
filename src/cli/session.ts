import type { Client } from '@temporalio/client';
import { checkHome } from '../home/usable';
import { connectClient } from '../temporal/connect';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { webUiUrl } from '../temporal/web-ui';
import { indexIn, indexText, runWorkflowId } from '../contract/identity';
import { databaseAdvice } from '../stack/database-advice';
import { databaseFault } from '../stack/database';
import { findTemporal, type TemporalReach } from '../stack/stack';
import type { CommandContext } from './command';
import { harmlessLine } from '../support/terminal-text';
import { isRunName } from '../contract/run-name';
import { UsageError } from './usage-error';
import { programName } from './program-name';

/** Temporal connection of a command. */
export interface Session {
  readonly client: Client;
  readonly temporal: TemporalReach;
}

/** Connects to the running Temporal server; starts nothing. Throws `InfrastructureError`. */
export async function openSession({ home, env }: CommandContext): Promise<Session> {
  await checkHome(home);
  const temporal = await findTemporal(home, env);
  if (!temporal) {
    const fault = await databaseFault(home);
    if (fault !== undefined) throw new InfrastructureError(await databaseAdvice(home, fault));
    throw new InfrastructureError(
      `The background processes of this home (${home.root}) are not running, and without them nothing is known about runs. Start them with: ${programName(env)} up`,
    );
  }
  return { client: await connectClient({ ...temporal, timeoutMs: 5_000 }), temporal };
}

/** Returns the link to a run. With `runId` it opens the table of tasks, if the Web UI is this machine's; others may be too old. */
export function runUrl({ temporal }: Pick<Session, 'temporal'>, invocation: string, runId?: string): string | null {
  const isOurs = /^http:\/\/(127\.0\.0\.1|localhost):/.test(temporal.uiBase ?? '');
  const workflowId = runWorkflowId(invocation);
  return webUiUrl({ ...temporal, base: temporal.uiBase, workflowId, runId: isOurs ? runId : undefined });
}

/** `<id>`, `<id>.<task index>`, or `<id>.e<n>` for a shared endpoint. */
export interface RunAddress {
  /** The first digits of an id, or a name or its beginning. */
  readonly prefix: string;
  /** Below 0: of a shared endpoint (`sharedIndex`). */
  readonly index: number | undefined;
}

/** Parses a run address. Throws `UsageError`. */
export function runAddress(text: string | undefined): RunAddress {
  if (text === undefined) throw new UsageError('Give the id of a run, or its first digits.');
  const [, head = '', number] = /^(.*?)(?:\.(\d{1,6}|e\d{1,3}))?$/.exec(text) ?? [];
  const index = number === undefined ? undefined : indexIn(number);
  const id = head.toLowerCase().replace(/^eval-/, '');
  if (/^[0-9a-f]{1,16}$/.test(id)) return { prefix: id, index };
  if (isRunName(head)) return { prefix: head, index };
  throw new UsageError(
    `"${harmlessLine(text)}" is neither a run's id (16 hexadecimal digits, or the first few of them) or name, nor that of a task (3f2a….0).`,
  );
}

/** Splits an address of one model of a run, `3f2a/llama`; `undefined`: it is none. */
export function modelAddress(text: string | undefined): { readonly run: string; readonly model: string } | undefined {
  const [, run, model] = /^([^/.]+)\/([A-Za-z0-9][A-Za-z0-9_-]*)$/.exec(text ?? '') ?? [];
  return run === undefined || model === undefined ? undefined : { run, model };
}

/** Throws `UsageError` if the run has no such model. */
export function checkModel(model: string | undefined, tasks: readonly { readonly model?: string }[]): void {
  if (model === undefined || tasks.some((task) => task.model === model)) return;
  const known = [...new Set(tasks.flatMap((task) => task.model ?? []))];
  const has = known.length === 0 ? 'It has one model.' : `It has: ${known.join(', ')}.`;
  throw new UsageError(`This run has no model named ${model}. ${has}`);
}

/** Throws `UsageError` if the run has no such task. */
export function checkIndex(
  index: number | undefined,
  tasks: readonly { readonly index: number; readonly name: string }[],
): void {
  if (index === undefined || tasks.some((task) => task.index === index)) return;
  const known = tasks.slice(0, 10).map((task) => `${indexText(task.index)} ${task.name}`);
  const wanted = index < 0 ? `shared endpoint ${indexText(index)}` : `task ${index}`;
  throw new UsageError(`This run has no ${wanted}. It has: ${known.join(', ')}${tasks.length > 10 ? ', …' : ''}.`);
}

import path from 'node:path';
import { runDocument, type RunDocument } from '../cli/render/run-document';
import { nowOf } from '../cli/temporal-clock';
import { runAddress, runUrl } from '../cli/session';
import { cancelRun as cancel } from '../runs/cancel';
import { describeRun } from '../runs/describe';
import type { RunDescription } from '../runs/run-description';
import { localResults } from '../runs/local-results';
import { resolveInvocation } from '../runs/resolve';
import { watchRun as watch } from '../runs/watch-run';
import { UsageFault } from '../support/usage-fault';
import { behind, type Evalsaga, type Opened } from './connect';

export interface WatchOptions {
  /** Milliseconds between two looks while something changes; up to five times as long while nothing does. Default 1 000. */
  readonly intervalMs?: number;
  /** Ends the watch; the run goes on. */
  readonly signal?: AbortSignal;
}

export interface ResultsOptions {
  /**
   * Folder to which the run's files are copied, relative to the connection's `cwd`. The run must have a results store, or its results
   * lie there already; else rejects with `ResultsElsewhere`.
   */
  readonly folder?: string;
}

/**
 * Yields the run's document, which is what `--json` prints, now and whenever it changes; the last one when the run has ended and
 * everything is torn down. `run`: an id, its first digits, or a name. Throws `RunNotFound`, `AmbiguousRun`, `MalformedId`.
 */
export async function* watchRun(
  evalsaga: Evalsaga,
  run: string,
  { intervalMs = 1_000, signal = new AbortController().signal }: WatchOptions = {},
): AsyncGenerator<RunDocument> {
  const opened = behind(evalsaga);
  const { client, home, invocation } = await known(opened, run);
  for await (const description of watch(client, invocation, home, { intervalMs, quietMs: 5 * intervalMs, signal }))
    yield await documentOf(opened, description);
}

/**
 * Requests the end of a run, and returns without waiting for it: the run tears everything down before it closes; `watchRun` shows
 * when. Rejects with `RunNotFound`, `AmbiguousRun`, `MalformedId`.
 */
export async function cancelRun(evalsaga: Evalsaga, run: string): Promise<'requested' | 'already closed'> {
  const { client, home, invocation } = await known(behind(evalsaga), run);
  return cancel(client, invocation, home);
}

/**
 * Returns the run's document with the scores so far; copies its files to a folder if one is named. Rejects with `RunNotFound`,
 * `AmbiguousRun`, `MalformedId`, `ResultsElsewhere`.
 */
export async function resultsOf(
  evalsaga: Evalsaga,
  run: string,
  { folder }: ResultsOptions = {},
): Promise<RunDocument> {
  const opened = behind(evalsaga);
  const { client, home, invocation } = await known(opened, run);
  if (folder !== undefined) {
    const { env, cwd } = opened.context;
    await localResults({ invocation, home, client, env, folder: path.resolve(cwd, folder), refresh: true });
  }
  return documentOf(opened, await describeRun(client, invocation, home));
}

/** A task's address is refused: what is meant for one task must not befall a whole run. */
async function known({ session, context }: Opened, run: string) {
  const { client } = session;
  const { home } = context;
  const { prefix, index } = runAddress(run);
  if (index !== undefined) throw new UsageFault(`"${run}" is the address of a task; this call takes that of a run.`);
  return { client, home, invocation: await resolveInvocation(client, prefix, home) };
}

const documentOf = async ({ session }: Opened, run: RunDescription): Promise<RunDocument> =>
  runDocument(run, runUrl(session, run.snapshot.invocation, run.runId), await nowOf(run, session.client, silent));

/** Callers of the library are told by the document, not in words. */
const silent = { warn: () => undefined };

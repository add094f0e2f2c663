import type { Client } from '@temporalio/client';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { invocationOf, runWorkflowId, runWorkflowType } from '../contract/identity';
import { isRunName } from '../contract/run-name';
import type { HomePaths } from '../home/paths';
import { storedInvocations, storedNames } from '../home/run-store';
import { AmbiguousRun, MalformedId, RunNotFound } from './run-errors';

/** Of runs that Temporal lists, newest first: those whose names are compared. */
const mostNamesLookedAt = 2_000;

/**
 * Returns the full id of the one run that `text` means, on this host or in Temporal: its id or the first digits of it, its name
 * or the beginning of it. An id is tried first, a whole name before the beginning of one. Throws `MalformedId`, `AmbiguousRun`,
 * `RunNotFound`.
 */
export async function resolveInvocation(client: Client, text: string, home: HomePaths): Promise<string> {
  const isId = /^[0-9a-f]{1,16}$/.test(text);
  if (!isId && !isRunName(text))
    throw new MalformedId(
      `"${text}" is neither a run id (16 hexadecimal digits, which can be shortened to the first few) nor a run's name`,
    );
  const byId = isId ? await idsWith(client, text, home) : [];
  if (byId.length > 1) throw new AmbiguousRun(text, byId);
  const [only] = byId;
  if (only !== undefined) return only;
  return chooseByName(text, await namesWith(client, text, home));
}

async function idsWith(client: Client, prefix: string, home: HomePaths): Promise<string[]> {
  const candidates = new Set(await storedInvocations(home, prefix));
  if (prefix.length === 16) candidates.add(prefix);
  else {
    const query = `WorkflowType = '${runWorkflowType}' AND WorkflowId STARTS_WITH '${runWorkflowId(prefix)}'`;
    for await (const { workflowId } of toleratingUnreadable(client).list({ query, pageSize: 20 })) {
      const invocation = invocationOf(workflowId);
      if (invocation !== undefined) candidates.add(invocation);
      if (candidates.size > 20) break;
    }
  }
  return [...candidates].sort();
}

/** A run by its name. */
export interface NamedRun {
  readonly invocation: string;
  readonly name: string;
}

/** Returns the run of this name, else the only one whose name begins so. Throws `AmbiguousRun`, `RunNotFound`. Pure. */
export function chooseByName(text: string, found: readonly NamedRun[]): string {
  const exact = found.filter(({ name }) => name === text);
  const matches = exact.length > 0 ? exact : found.filter(({ name }) => name.startsWith(text));
  const [only, second] = matches;
  if (only === undefined)
    throw new RunNotFound(`no run has an id or a name that starts with ${text}; list runs with: evalsaga ls`);
  if (second === undefined) return only.invocation;
  const shown = matches.map(({ invocation, name }) => (name === text ? invocation : `${invocation} (${name})`));
  throw new AmbiguousRun(text, shown, exact.length > 0 ? 'Give the id of one.' : 'Give more of the name, or an id.');
}

/** Returns runs whose names begin so, newest first. The memo has the name even where search attributes may not hold it. */
async function namesWith(client: Client, text: string, home: HomePaths): Promise<NamedRun[]> {
  const found = new Map<string, NamedRun>();
  let looked = 0;
  const query = `WorkflowType = '${runWorkflowType}'`;
  for await (const { workflowId, memo } of toleratingUnreadable(client).list({ query, pageSize: 200 })) {
    const invocation = invocationOf(workflowId);
    const name = memo?.['name'];
    if (invocation !== undefined && typeof name === 'string' && name.startsWith(text))
      found.set(invocation, { invocation, name });
    if (++looked >= mostNamesLookedAt) break;
  }
  // Temporal's listing lags by a second or two: what was started here is known at once.
  for (const run of await storedNames(home))
    if (run.name.startsWith(text) && !found.has(run.invocation)) found.set(run.invocation, run);
  return [...found.values()];
}

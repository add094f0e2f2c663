import type { Client } from '@temporalio/client';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { invocationOf, runWorkflowId, runWorkflowType } from '../contract/identity';
import type { HomePaths } from '../home/paths';
import { storedInvocations } from '../home/run-store';
import { AmbiguousRun, MalformedId, RunNotFound } from './run-errors';

/** Returns the full id of the one run that `prefix` matches, on this host or in Temporal. Throws `MalformedId`, `AmbiguousRun`, `RunNotFound`. */
export async function resolveInvocation(client: Client, prefix: string, home: HomePaths): Promise<string> {
  if (!/^[0-9a-f]{1,16}$/.test(prefix)) {
    throw new MalformedId(
      `"${prefix}" is not a run id: an id has 16 hexadecimal digits, and can be shortened to the first few`,
    );
  }
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
  const found = [...candidates].sort();
  if (found.length > 1) throw new AmbiguousRun(prefix, found);
  if (found[0] === undefined) throw new RunNotFound(`no run id starts with ${prefix}; list runs with: evalsaga ls`);
  return found[0];
}

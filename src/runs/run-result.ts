import type { Client } from '@temporalio/client';
import { batchWorkflowId } from '../contract/identity';
import {
  joinedSnapshot,
  type ReadBatch,
  type SentSnapshot,
  type SentTasks,
  type TasksInBatches,
} from '../contract/sent-snapshot';
import type { RunSnapshot } from '../contract/state';
import { messageOf } from '../support/error-message';
import { mapConcurrently } from '../support/map-concurrently';
import { answerWithinMs } from '../temporal/deadlines';

/** Batches read at once. */
const concurrency = 10;

/** What a closed run's results say. No worker is needed to read them. */
export interface RunResult {
  readonly snapshot: RunSnapshot;
  /** Of some batch the result can't be read: of its tasks only the outcome is known, and their messages say why. */
  readonly isPartial: boolean;
}

/** Puts the snapshot of a closed run together: `sent` is its own result, or in the details of its failure. */
export async function readRunResult(client: Client, sent: SentSnapshot): Promise<RunResult> {
  const batches = sent.inBatches?.batches ?? [];
  const read = await mapConcurrently(batches, concurrency, (batch) => readBatch(client, sent.invocation, batch));
  return { snapshot: joinedSnapshot(sent, read), isPartial: read.some((batch) => 'unread' in batch) };
}

async function readBatch(
  client: Client,
  invocation: string,
  { batch, runId }: TasksInBatches['batches'][number],
): Promise<ReadBatch> {
  const workflowId = batchWorkflowId(invocation, batch);
  try {
    const handle = client.workflow.getHandle(workflowId, runId);
    return (await client.withDeadline(Date.now() + answerWithinMs, () => handle.result())) as SentTasks;
  } catch (error) {
    return { unread: `workflow ${workflowId}: ${messageOf(error)}` };
  }
}

import { temporal } from '@temporalio/proto';
import { gunzipSync } from 'node:zlib';

/** Reads from calls to Temporal which activity or workflow they are about. */

const api = temporal.api.workflowservice.v1;

/** Returns the single message in the gRPC body of a unary call: a compression flag, a length, the bytes. */
export function messageIn(body: Buffer): Buffer {
  if (body.length < 5) return Buffer.alloc(0);
  const message = body.subarray(5, 5 + body.readUInt32BE(1));
  return body[0] === 1 ? gunzipSync(message) : message;
}

/** A task that Temporal delivers to a worker. */
export interface DeliveredTask {
  /** Type of the activity or workflow. */
  readonly about: string;
  readonly workflowId: string;
}

/** Remembers the tasks delivered to a worker by their tokens. */
export class Tasks {
  private readonly byToken = new Map<string, DeliveredTask>();

  /** Returns the task that the answer to a poll delivers, if any. Also remembers tasks that come with other answers. */
  delivered(method: string, answer: Buffer): DeliveredTask | undefined {
    switch (method) {
      case 'PollActivityTaskQueue':
        return this.noteActivity(api.PollActivityTaskQueueResponse.decode(answer));
      case 'PollWorkflowTaskQueue':
        return this.noteWorkflow(api.PollWorkflowTaskQueueResponse.decode(answer));
      case 'RespondWorkflowTaskCompleted': {
        const { activityTasks, workflowTask } = api.RespondWorkflowTaskCompletedResponse.decode(answer);
        for (const task of activityTasks) this.noteActivity(task);
        if (workflowTask) this.noteWorkflow(workflowTask);
        return undefined;
      }
      default:
        return undefined;
    }
  }

  /** Returns the task that a worker's call is about. */
  of(method: string, request: Buffer): DeliveredTask | undefined {
    const isOfTask = /^(RespondActivityTask|RecordActivityTaskHeartbeat$|RespondWorkflowTask)/.test(method);
    // The token is the first field of all these messages.
    return isOfTask ? this.byToken.get(keyOf(firstField(request))) : undefined;
  }

  private noteActivity(
    task: temporal.api.workflowservice.v1.IPollActivityTaskQueueResponse,
  ): DeliveredTask | undefined {
    return this.note(task, task.activityType?.name);
  }

  private noteWorkflow(
    task: temporal.api.workflowservice.v1.IPollWorkflowTaskQueueResponse,
  ): DeliveredTask | undefined {
    const type = task.workflowType?.name;
    return this.note(task, task.query && type ? `${type} query` : type);
  }

  private note(
    task: Pick<temporal.api.workflowservice.v1.IPollActivityTaskQueueResponse, 'taskToken' | 'workflowExecution'>,
    about: string | null | undefined,
  ): DeliveredTask | undefined {
    if (!task.taskToken || task.taskToken.length === 0 || !about) return undefined;
    const delivered = { about, workflowId: task.workflowExecution?.workflowId ?? '' };
    this.byToken.set(keyOf(task.taskToken), delivered);
    return delivered;
  }
}

const keyOf = (token: Uint8Array): string => Buffer.from(token).toString('base64');

/** Returns the bytes of field 1, which the SDK writes first: a tag, a length as a varint, the bytes. */
function firstField(message: Buffer): Uint8Array {
  let length = 0;
  let at = 1;
  for (let shift = 0; ; shift += 7) {
    const byte = message[at] ?? 0;
    at += 1;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return message.subarray(at, at + length);
  }
}

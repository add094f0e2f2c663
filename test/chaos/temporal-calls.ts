import { temporal } from '@temporalio/proto';
import { gunzipSync } from 'node:zlib';

/** What calls to Temporal are about, read from their messages. */

const api = temporal.api.workflowservice.v1;

/** The message in a gRPC body, which of a unary call is one: a flag for compression, a length, the bytes. */
export function messageIn(body: Buffer): Buffer {
  if (body.length < 5) return Buffer.alloc(0);
  const message = body.subarray(5, 5 + body.readUInt32BE(1));
  return body[0] === 1 ? gunzipSync(message) : message;
}

/** A piece of work that Temporal hands to a worker. */
export interface Delivered {
  /** The type of the activity or workflow. */
  readonly about: string;
  readonly workflowId: string;
}

/** Knows by their tokens the tasks that a worker was handed. */
export class Tasks {
  private readonly byToken = new Map<string, Delivered>();

  /** What an answer brings the worker, if it does: a poll's task. Those that come along with other answers are noted, too. */
  delivered(method: string, answer: Buffer): Delivered | undefined {
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

  /** The task that a worker's call is about. */
  of(method: string, request: Buffer): Delivered | undefined {
    const isOfTask = /^(RespondActivityTask|RecordActivityTaskHeartbeat$|RespondWorkflowTask)/.test(method);
    // All of these have the token as their first field.
    return isOfTask ? this.byToken.get(keyOf(firstField(request))) : undefined;
  }

  private noteActivity(task: temporal.api.workflowservice.v1.IPollActivityTaskQueueResponse): Delivered | undefined {
    return this.note(task, task.activityType?.name);
  }

  private noteWorkflow(task: temporal.api.workflowservice.v1.IPollWorkflowTaskQueueResponse): Delivered | undefined {
    const type = task.workflowType?.name;
    return this.note(task, task.query && type ? `${type} query` : type);
  }

  private note(
    task: Pick<temporal.api.workflowservice.v1.IPollActivityTaskQueueResponse, 'taskToken' | 'workflowExecution'>,
    about: string | null | undefined,
  ): Delivered | undefined {
    if (!task.taskToken || task.taskToken.length === 0 || !about) return undefined;
    const delivered = { about, workflowId: task.workflowExecution?.workflowId ?? '' };
    this.byToken.set(keyOf(task.taskToken), delivered);
    return delivered;
  }
}

const keyOf = (token: Uint8Array): string => Buffer.from(token).toString('base64');

/** The bytes of field 1, which comes first in what the SDK writes: a tag, a length as a varint, the bytes. */
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

import {
  type Client,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ScheduleUpdateOptions,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { encodeToPayload } from '@temporalio/common/lib/internal-non-workflow';
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { keyIdOf } from '../temporal/encryption/codec';
import { EncryptionKeyError } from '../temporal/encryption/key-error';
import type { PlatformRef } from '../contract/plan';
import { defaultGraceSeconds } from './sweep';

/** How often a platform is swept, milliseconds. */
const everyMs = 600_000;
/** How late a sweep may begin that was missed while Temporal was unavailable. */
const catchupMs = 60_000;
/** A sweep that no worker takes or finishes in this time makes way for the next one: it owns nothing. */
const sweepWithinMs = 900_000;
/** A schedule ends by itself this long after the last run was started on its platform. */
const endsAfterMs = 90 * 86_400_000;
/** The start of a run postpones the end if less than this is left. */
const renewedBelowMs = 60 * 86_400_000;

export interface SweptPlatform {
  readonly platform: PlatformRef;
  readonly taskQueue: string;
  /** Identity of the home whose own worker sweeps, if several homes share the server. */
  readonly home?: string | undefined;
}

/** Returns the id of the schedule that sweeps a platform. Pure. */
export function sweepScheduleId(platform: PlatformRef, home?: string): string {
  const swept = JSON.stringify(platform) + (home === undefined ? '' : ` of ${home}`);
  const digest = createHash('sha256').update(swept).digest('hex').slice(0, 8);
  const workspace = platform.workspace.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 60);
  return `eval-sweep-${workspace}-${digest}`;
}

/**
 * Makes sure that the workers of this task queue sweep a platform regularly, in the way of this build, until long after the
 * last start. Safe to call before each run. A schedule that an operator paused stays paused.
 */
export async function ensureSweepSchedule(client: Client, swept: SweptPlatform): Promise<void> {
  const { platform, home } = swept;
  const scheduleId = sweepScheduleId(platform, home);
  const wanted = wantedSchedule(swept, scheduleId);
  if (home !== undefined) await dropSharedSchedule(client, swept);
  if (await create(client, { scheduleId, wanted })) return;
  const handle = client.schedule.getHandle(scheduleId);
  const known = await describe(handle);
  if (known !== undefined && (await hasCurrentKey(client, scheduleId)) && isCurrent(known, wanted)) return;
  await endStuck(client, known, swept.taskQueue);
  if (known === undefined) {
    // Its input can't be read, perhaps because the key was withdrawn, so it can't be updated either.
    await handle.delete();
    await create(client, { scheduleId, wanted });
    return;
  }
  await handle.update(({ state }) => ({ ...wanted, state: { paused: state.paused, ...noteOf(state) } }));
}

type Wanted = Pick<ScheduleUpdateOptions, 'spec' | 'action' | 'policies'>;

function wantedSchedule({ platform, taskQueue }: SweptPlatform, scheduleId: string): Wanted {
  return {
    spec: { intervals: [{ every: everyMs }], endAt: new Date(Date.now() + endsAfterMs) },
    action: {
      type: 'startWorkflow',
      workflowType: 'sweepPlatform',
      workflowId: scheduleId,
      args: [{ platform, graceSeconds: defaultGraceSeconds }],
      taskQueue,
      workflowRunTimeout: sweepWithinMs,
      staticSummary: `Sweep of ${platform.workspace}`,
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: catchupMs },
  };
}

const noteOf = ({ note }: ScheduleDescription['state']): { note?: string } => (note ? { note } : {});

async function create(
  client: Client,
  { scheduleId, wanted }: { readonly scheduleId: string; readonly wanted: Wanted },
): Promise<boolean> {
  try {
    await client.schedule.create({ scheduleId, ...wanted });
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}

/** Returns `undefined` if the schedule's workflow input can't be decrypted. */
async function describe(handle: ScheduleHandle): Promise<ScheduleDescription | undefined> {
  try {
    return await handle.describe();
  } catch (error) {
    if (error instanceof EncryptionKeyError) return undefined;
    throw error;
  }
}

/** Pure except for the clock. */
function isCurrent(known: ScheduleDescription, wanted: Wanted): boolean {
  const { spec, action, policies } = known;
  const endsInMs = (spec.endAt?.getTime() ?? Number.POSITIVE_INFINITY) - Date.now();
  return (
    action.type === 'startWorkflow' &&
    action.workflowType === wanted.action.workflowType &&
    action.taskQueue === wanted.action.taskQueue &&
    action.workflowRunTimeout === wanted.action.workflowRunTimeout &&
    isDeepStrictEqual(action.args, wanted.action.args) &&
    isDeepStrictEqual(
      spec.intervals?.map(({ every }) => every),
      [everyMs],
    ) &&
    policies.overlap === ScheduleOverlapPolicy.SKIP &&
    policies.catchupWindow === catchupMs &&
    endsInMs > renewedBelowMs &&
    endsInMs <= endsAfterMs + renewedBelowMs
  );
}

/** Ends sweeps of another task queue: if its workers are gone, a waiting sweep would keep all others from beginning. */
async function endStuck(client: Client, known: ScheduleDescription | undefined, taskQueue: string): Promise<void> {
  if (known?.action.taskQueue === taskQueue) return;
  // The server lists running sweeps only once it has checked them, but always lists the most recently started ones.
  const begun = (known?.info.recentActions ?? []).map(({ action }) => action.workflow);
  const running = (known?.info.runningActions ?? []).map(({ workflow }) => workflow);
  for (const { workflowId, firstExecutionRunId } of [...begun, ...running]) {
    const handle = client.workflow.getHandle(workflowId, firstExecutionRunId);
    await handle.terminate('its schedule goes by another task queue now; a sweep owns nothing').catch(ignoreEnded);
  }
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof WorkflowNotFoundError)) throw error;
}

/** Deletes the one schedule that earlier builds had for the local platforms of all homes, if it uses this home's queue. */
async function dropSharedSchedule(client: Client, { platform, taskQueue }: SweptPlatform): Promise<void> {
  const handle = client.schedule.getHandle(sweepScheduleId(platform));
  try {
    const shared = await describe(handle);
    if (shared?.action.taskQueue !== taskQueue) return;
    await handle.delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}

/** Whether the schedule's workflow input is encrypted with the key that this client uses now. */
async function hasCurrentKey({ options, workflowService }: Client, scheduleId: string): Promise<boolean> {
  const { namespace, loadedDataConverter } = options;
  const { schedule } = await workflowService.describeSchedule({ namespace, scheduleId });
  const [before] = schedule?.action?.startWorkflow?.input?.payloads ?? [];
  const now = await encodeToPayload(loadedDataConverter, null);
  return before !== undefined && keyIdOf(before) === keyIdOf(now);
}

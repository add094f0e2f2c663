import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { BatchBounds, BatchInput } from '../contract/inputs/task';
import { advance, batchProgress, endpointReady, sharedEndpointsChanged, taskChanged } from '../contract/messages';
import { sharedModelOf } from '../contract/parts';
import type { TaskPlan } from '../contract/plan';
import { readyTasksIn } from '../contract/ready-tasks';
import { pendingTask, type SharedState, type TaskPhase, type TaskSnapshot } from '../contract/state';
import { jsonBytes } from './fitting';
import { SharedStates } from './shared-states';
import type { TaskBook } from './task-book';

/** Milliseconds for which ends of tasks are collected before the run is told. What others wait for is told at once. */
const collectMs = 1_000;
/** Bytes of JSON in one signal, roughly. */
const maxSignalBytes = 48_000;

/** Holds the snapshots of a batch's tasks, and tells the run what it must know of them. */
export class BatchProgress implements TaskBook {
  /** What the run allows. */
  bounds: BatchBounds;
  readonly isAlwaysOpen: boolean;
  readonly shared: SharedStates;
  private readonly snapshots: Map<number, TaskSnapshot>;
  private readonly ready = new Set<number>();
  private readonly accounted = new Set<number>();
  private readonly untold = new Set<number>();
  private readonly end: number;
  private toldDecided = 0;
  private isUrgent = false;
  private isOver = false;
  private readonly telling: Promise<void>;

  constructor(
    private readonly input: BatchInput,
    readonly tasks: readonly TaskPlan[],
  ) {
    this.bounds = input.bounds;
    this.isAlwaysOpen = input.run.startPolicy === 'as_ready';
    this.snapshots = new Map(tasks.map((task) => [task.index, pendingTask(task)] as const));
    for (const task of tasks) if (sharedModelOf(task)) this.ready.add(task.index);
    this.end = (tasks.at(-1)?.index ?? -1) + 1;
    setHandler(advance, (bounds?: Partial<BatchBounds>) => {
      const { start, places, open, isOver } = bounds ?? {};
      if (typeof start !== 'number' || typeof places !== 'number' || typeof open !== 'number') return;
      this.bounds = { start, places, open, ...(isOver === true ? { isOver } : {}) };
    });
    this.shared = new SharedStates(input.shared ?? []);
    setHandler(sharedEndpointsChanged, (states?: readonly SharedState[]) => {
      if (Array.isArray(states)) this.shared.replace(states);
    });
    setHandler(endpointReady, (ready?: unknown) => {
      for (const { index } of readyTasksIn(ready)) if (this.snapshots.has(index)) this.ready.add(index);
    });
    // Signals can be sent by hand with any payload or none: anything but a snapshot is ignored.
    setHandler(taskChanged, (snapshot?: Partial<TaskSnapshot>) => {
      const { index, phase } = snapshot ?? {};
      if (typeof index !== 'number' || typeof phase !== 'string' || this.accounted.has(index)) return;
      if (this.snapshots.has(index)) this.put(snapshot as TaskSnapshot);
    });
    this.telling = CancellationScope.nonCancellable(() => this.tellAll());
  }

  task(index: number): TaskSnapshot {
    const found = this.snapshots.get(index);
    if (!found) throw new Error(`no task ${index} in this batch`);
    return found;
  }

  /** Of all its tasks. */
  get all(): readonly TaskSnapshot[] {
    return [...this.snapshots.values()];
  }

  isReady(index: number): boolean {
    return this.ready.has(index);
  }

  put(snapshot: TaskSnapshot): void {
    this.snapshots.set(snapshot.index, snapshot);
    this.untold.add(snapshot.index);
    if (snapshot.outcome === 'failed' && this.input.run.onTaskFailure === 'abort') this.isUrgent = true;
  }

  change(index: number, change: Partial<TaskSnapshot>): void {
    this.put({ ...this.task(index), ...change });
  }

  account(index: number): void {
    this.accounted.add(index);
  }

  /** Activities tell the run of phases. */
  presume(_index: number, _phase: TaskPhase, _after: TaskPhase): void {
    // Nothing is shown here.
  }

  evaluating(): void {
    // The run knows.
  }

  /** Resolves when the run has been told everything, or is closed. */
  async finish(): Promise<void> {
    this.isOver = true;
    await this.telling;
  }

  /** The index below which all tasks are Ready or over. */
  private get decided(): number {
    const open = this.tasks.find(({ index }) => !this.ready.has(index) && this.task(index).outcome === null);
    return open?.index ?? this.end;
  }

  /** Whether the barrier may wait for this batch, and need not any more. */
  private get isNewlyDecided(): boolean {
    const wanted = Math.min(this.bounds.start, this.end);
    return !this.isAlwaysOpen && this.toldDecided < wanted && this.decided >= wanted;
  }

  private async tellAll(): Promise<void> {
    const isPressing = (): boolean => this.isUrgent || this.isOver || this.isNewlyDecided;
    for (;;) {
      await condition(() => this.untold.size > 0 || isPressing());
      if (!isPressing()) await condition(isPressing, collectMs);
      const isLast = this.isOver;
      this.isUrgent = false;
      await this.tell();
      if (isLast && this.untold.size === 0) return;
    }
  }

  private async tell(): Promise<void> {
    const { decided } = this;
    const tasks = [...this.untold].map((index) => this.task(index));
    this.untold.clear();
    const parts = inParts(tasks);
    for (const part of parts.length === 0 && decided > this.toldDecided ? [[]] : parts) await this.send(part, decided);
    this.toldDecided = decided;
  }

  private async send(tasks: readonly TaskSnapshot[], decided: number): Promise<void> {
    const { parent } = workflowInfo();
    if (!parent) return;
    try {
      const run = getExternalWorkflowHandle(parent.workflowId, parent.runId);
      await run.signal(batchProgress, { batch: this.input.batch, decided, tasks });
    } catch {
      // The run is closed: this batch and its tasks end on their own.
    }
  }
}

function inParts(tasks: readonly TaskSnapshot[]): TaskSnapshot[][] {
  const parts: TaskSnapshot[][] = [];
  let room = 0;
  for (const task of tasks) {
    const bytes = jsonBytes(task);
    if (room < bytes) {
      parts.push([]);
      room = maxSignalBytes;
    }
    parts.at(-1)?.push(task);
    room -= bytes;
  }
  return parts;
}

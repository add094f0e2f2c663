import { patched, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { RunInput } from '../contract/inputs';
import { endpointReady, runStatus, taskChanged } from '../contract/messages';
import {
  startingRun,
  type KeptStorage,
  type LeftResource,
  type RunPhase,
  type RunSnapshot,
  type TaskOutcome,
  type TaskPhase,
  type TaskSnapshot,
} from '../contract/state';
import { verdictOf, type Verdict } from '../contract/verdict';
import { runDetails } from '../contract/details';
import { fitRun } from './fitting';
import { now } from './task-progress';

const evalPhase = defineSearchAttributeKey('EvalPhase', 'KEYWORD');
const evalOutcome = defineSearchAttributeKey('EvalOutcome', 'KEYWORD');

/** Holds the run's snapshot, updated by its tasks' signals; answers the status query and appears in the Web UI. */
export class RunProgress {
  private current: RunSnapshot;
  private readonly ready = new Set<number>();
  private readonly accounted = new Set<number>();
  private readonly searchable: boolean;
  private isShowing = false;

  constructor({ plan, searchAttributes }: RunInput) {
    this.searchable = searchAttributes;
    this.current = startingRun(plan, now());
    setHandler(runStatus, () => fitRun(this.current));
    // Signals can be sent by hand with any payload or none: anything but a snapshot is ignored.
    setHandler(taskChanged, (snapshot?: unknown) => {
      if (this.isFreshSnapshot(snapshot)) this.put(snapshot);
    });
    setHandler(endpointReady, (ready?: { snapshot?: unknown }) => {
      const snapshot = ready?.snapshot;
      if (!this.isFreshSnapshot(snapshot)) return;
      this.ready.add(snapshot.index);
      this.put(snapshot);
    });
    this.show();
  }

  get snapshot(): RunSnapshot {
    return this.current;
  }

  task(index: number): TaskSnapshot {
    const found = this.current.tasks[index];
    if (!found) throw new Error(`no task ${index} in this run`);
    return found;
  }

  /** Marks the task's final snapshot as received: signals that arrive later are older. */
  account(index: number): void {
    this.accounted.add(index);
  }

  private isFreshSnapshot(snapshot: unknown): snapshot is TaskSnapshot {
    const { index, phase } = (snapshot ?? {}) as Partial<TaskSnapshot>;
    if (typeof index !== 'number' || typeof phase !== 'string' || !this.current.tasks[index]) return false;
    // 2026-11-28
    return !(this.accounted.has(index) && patched('late-news-ignored'));
  }

  isReady(index: number): boolean {
    return this.ready.has(index);
  }

  put(snapshot: TaskSnapshot): void {
    const tasks = this.current.tasks.map((task) => (task.index === snapshot.index ? snapshot : task));
    this.current = {
      ...this.current,
      tasks,
      left: tasks.flatMap((task) => task.left),
      kept: tasks.flatMap((task) => task.kept),
    };
    if (tasks.every((task) => task.outcome !== null)) this.tearDown();
    this.show();
  }

  change(index: number, change: Partial<TaskSnapshot>): void {
    this.put({ ...this.task(index), ...change });
  }

  /** Shows a phase that the task enters without a signal of its own, as it lasts only seconds. Its next signal corrects this. */
  presume(index: number, phase: TaskPhase, after: TaskPhase): void {
    const task = this.task(index);
    if (task.phase === after && task.outcome === null) this.put({ ...task, phase });
  }

  /** Records a leftover resource that belongs to the run rather than to a task. */
  leave(resource: LeftResource): void {
    this.current = { ...this.current, left: [...this.current.left, resource] };
    this.show();
  }

  /** Records storage that is kept on purpose and belongs to the run rather than to a task. */
  keep(storage: KeptStorage): void {
    this.current = { ...this.current, kept: [...this.current.kept, storage] };
    this.show();
  }

  /** Enters the teardown phase, which a barrier that opens later does not revert. */
  tearDown(): void {
    // 2026-11-28
    if (this.current.phase !== 'done' && patched('tearing-down-phase')) this.enter('tearing down');
  }

  /** Sets the run's outcome and enters the last phase. */
  conclude(outcome: TaskOutcome): void {
    this.current = { ...this.current, outcome };
    this.enter('done', verdictOf(outcome, this.current));
  }

  enter(phase: RunPhase, outcome?: Verdict): void {
    if (phase === this.current.phase || (this.current.phase === 'tearing down' && phase !== 'done')) return;
    this.current = { ...this.current, phase };
    this.show();
    if (!this.searchable) return;
    upsertSearchAttributes([
      { key: evalPhase, value: phase },
      ...(outcome ? [{ key: evalOutcome, value: outcome }] : []),
    ]);
  }

  /** Renders once per batch of changes: with many tasks, rendering the table costs more than the changes. */
  private show(): void {
    if (this.isShowing) return;
    this.isShowing = true;
    void Promise.resolve().then(() => {
      this.isShowing = false;
      setCurrentDetails(runDetails(this.current, Date.now()));
    });
  }
}

import { setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { RunInput } from '../contract/inputs';
import { endpointReady, runStatus, taskChanged } from '../contract/messages';
import { startingRun, type LeftResource, type RunPhase, type RunSnapshot, type TaskSnapshot } from '../contract/state';
import { runDetails } from './details';
import { fitRun } from './fitting';
import { now } from './task-progress';

const evalPhase = defineSearchAttributeKey('EvalPhase', 'KEYWORD');
const evalOutcome = defineSearchAttributeKey('EvalOutcome', 'KEYWORD');

/** The run's one snapshot, fed by its tasks' signals: answers the query and shows in the Web UI. */
export class RunProgress {
  private current: RunSnapshot;
  private readonly ready = new Set<number>();
  private readonly searchable: boolean;
  private isShowing = false;

  constructor({ plan, searchAttributes }: RunInput) {
    this.searchable = searchAttributes;
    this.current = startingRun(plan, now());
    setHandler(runStatus, () => fitRun(this.current));
    setHandler(taskChanged, (snapshot) => this.put(snapshot));
    setHandler(endpointReady, ({ index, snapshot }) => {
      this.ready.add(index);
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
    this.show();
  }

  change(index: number, change: Partial<TaskSnapshot>): void {
    this.put({ ...this.task(index), ...change });
  }

  /** Something of the run's own, not of a task, is left behind. */
  leave(resource: LeftResource): void {
    this.current = { ...this.current, left: [...this.current.left, resource] };
    this.show();
  }

  enter(phase: RunPhase, outcome?: 'succeeded' | 'failed' | 'cancelled'): void {
    if (phase === this.current.phase) return;
    this.current = { ...this.current, phase };
    this.show();
    if (!this.searchable) return;
    upsertSearchAttributes([
      { key: evalPhase, value: phase },
      ...(outcome ? [{ key: evalOutcome, value: outcome }] : []),
    ]);
  }

  /** Once for all that comes at the same time: of many tasks, the table costs more than the news. */
  private show(): void {
    if (this.isShowing) return;
    this.isShowing = true;
    void Promise.resolve().then(() => {
      this.isShowing = false;
      setCurrentDetails(runDetails(this.current, Date.now()));
    });
  }
}

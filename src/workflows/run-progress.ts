import { patched, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { sharedModelOf } from '../contract/parts';
import type { RunInput } from '../contract/inputs/run';
import {
  batchProgress,
  endpointReady,
  runStatus,
  taskChanged,
  tasksProgress,
  type BatchNews,
} from '../contract/messages';
import type { ExportReport } from '../contract/export';
import type { RunPlan } from '../contract/plan';
import { readyTasksIn } from '../contract/ready-tasks';
import type { SentSnapshot } from '../contract/sent-snapshot';
import { isPastReady, isTaskNews, withNews } from '../contract/task-news';
import { olderUsageRules, type Spent } from '../contract/task-usage';
import {
  startingRun,
  type KeptStorage,
  type LeftResource,
  type RunPhase,
  type RunSnapshot,
  type TaskNews,
  type TaskOutcome,
  type TaskPhase,
  type TaskSnapshot,
} from '../contract/state';
import { verdictOf, type Verdict } from '../contract/verdict';
import { runDetails } from '../contract/details';
import { fitRun } from './fitting';
import { SharedProgress } from './shared-progress';
import { now } from './task-progress';
import type { TaskBook } from './task-book';
import { usageKnown } from './usage-known';

const evalPhase = defineSearchAttributeKey('EvalPhase', 'KEYWORD');
const evalOutcome = defineSearchAttributeKey('EvalOutcome', 'KEYWORD');

/** Holds the run's snapshot, updated by signals from tasks, batches and activities; answers the status query and appears in the Web UI. */
export class RunProgress implements TaskBook {
  private current: RunSnapshot;
  /** The tasks of `current`, which is made anew from them when it is asked for after a change. */
  private readonly tasks: TaskSnapshot[];
  private isStale = false;
  /** Tasks without an outcome. */
  private open: number;
  private readonly ready = new Set<number>();
  private readonly accounted = new Set<number>();
  private readonly searchable: boolean;
  private isShowing = false;
  private lastSent: { readonly of: RunSnapshot; readonly sent: SentSnapshot } | undefined;
  /** Those of `current`. */
  readonly shared: SharedProgress;
  /** Called when a shared endpoint has changed. */
  onShared: (position: number, snapshot: TaskSnapshot) => void = () => undefined;
  /** Called with what a batch tells. */
  onBatchNews: (news: BatchNews) => void = () => undefined;

  constructor(plan: RunPlan, { searchAttributes }: Pick<RunInput, 'searchAttributes'>) {
    this.searchable = searchAttributes;
    this.current = startingRun(plan, now());
    this.tasks = [...this.current.tasks];
    this.shared = new SharedProgress(this.current.shared ?? [], (position, snapshot) => {
      this.isStale = true;
      this.show();
      this.onShared(position, snapshot);
    });
    this.open = this.tasks.length;
    // What they wait for is Ready for all of them at once (`SharedStates`).
    for (const task of plan.tasks) if (sharedModelOf(task)) this.ready.add(task.index);
    setHandler(runStatus, () => this.sent);
    // Signals can be sent by hand with any payload or none: anything but a snapshot is ignored.
    setHandler(taskChanged, (snapshot?: unknown) => {
      if (isSnapshot(snapshot) && this.shared.has(snapshot.index)) return this.shared.hear(snapshot.index, snapshot);
      if (this.isFreshSnapshot(snapshot)) this.put(snapshot);
    });
    setHandler(endpointReady, (ready?: { snapshot?: unknown }) => {
      const snapshot = ready?.snapshot;
      if (snapshot === undefined)
        return this.hear(readyTasksIn(ready).map((told) => ({ phase: 'ready' as const, ...told })));
      if (!this.isFreshSnapshot(snapshot)) return;
      this.ready.add(snapshot.index);
      this.put(snapshot);
    });
    setHandler(tasksProgress, (news?: unknown) => this.hear(news));
    setHandler(batchProgress, (news?: Partial<BatchNews>) => {
      if (typeof news?.batch !== 'number' || !Array.isArray(news.tasks)) return;
      for (const task of news.tasks) this.hearOfBatch(task);
      this.onBatchNews(news as BatchNews);
    });
    this.show();
  }

  /** The snapshot as it is sent, made once for each change. */
  private get sent(): SentSnapshot {
    const { snapshot } = this;
    if (this.lastSent?.of !== snapshot) this.lastSent = { of: snapshot, sent: fitRun(snapshot) };
    return this.lastSent.sent;
  }

  get snapshot(): RunSnapshot {
    if (!this.isStale) return this.current;
    this.isStale = false;
    const tasks = [...this.tasks];
    const shared = [...this.shared.all];
    this.current = {
      ...this.current,
      tasks,
      ...(shared.length === 0 ? {} : { shared }),
      left: [...tasks, ...shared].flatMap((task) => task.left),
      kept: tasks.flatMap((task) => task.kept),
    };
    return this.current;
  }

  task(index: number): TaskSnapshot {
    const found = this.tasks[index];
    if (!found) throw new Error(`no task ${index} in this run`);
    return found;
  }

  account(index: number): void {
    this.accounted.add(index);
  }

  isAccounted(index: number): boolean {
    return this.accounted.has(index);
  }

  private isFreshSnapshot(snapshot: unknown): snapshot is TaskSnapshot {
    if (!isSnapshot(snapshot) || !this.tasks[snapshot.index]) return false;
    // 2026-11-28
    return !(this.accounted.has(snapshot.index) && patched('late-news-ignored'));
  }

  /** Takes what activities say about tasks that have not ended. */
  private hear(all: unknown): void {
    for (const news of Array.isArray(all) ? (all as unknown[]) : []) {
      if (!isTaskNews(news) || this.accounted.has(news.index)) continue;
      if (this.shared.has(news.index)) {
        this.shared.hear(news.index, (before) => this.after(before, news));
        continue;
      }
      const task = this.tasks[news.index];
      if (!task) continue;
      if (news.phase && isPastReady(news.phase)) this.ready.add(news.index);
      this.put(this.after(task, news));
    }
  }

  /** 2026-11-29: an endpoint that is made anew costs, too. What a run does depends on what it costs only if it has a budget. */
  private after(before: TaskSnapshot, news: TaskNews): TaskSnapshot {
    const told = withNews(before, news);
    if (!this.current.budget) return told;
    const older = withNews(before, news, olderUsageRules);
    return costsTheSame(told, older) || patched('endpoint-made-anew') ? told : older;
  }

  /** A batch knows how its tasks ended, but not when their resources began to cost. */
  private hearOfBatch(snapshot: unknown): void {
    if (!isSnapshot(snapshot) || !this.tasks[snapshot.index] || this.accounted.has(snapshot.index)) return;
    const { index, phase, outcome } = snapshot;
    if (phase === 'done' && outcome !== null) this.account(index);
    const before = this.task(index);
    this.put({
      ...snapshot,
      endpointUrl: snapshot.endpointUrl ?? before.endpointUrl,
      job: snapshot.job ?? before.job,
      startedAt: snapshot.startedAt ?? before.startedAt,
      usage: usageKnown(before, snapshot),
      progress: phase === 'done' ? null : (before.progress ?? null),
      ...(before.earlierUsage && !snapshot.earlierUsage ? { earlierUsage: before.earlierUsage } : {}),
    });
  }

  isReady(index: number): boolean {
    return this.ready.has(index);
  }

  /** Whether any endpoint is or was Ready. */
  get hasReady(): boolean {
    return this.ready.size > 0;
  }

  put(snapshot: TaskSnapshot): void {
    const before = this.tasks[snapshot.index];
    if (!before) return;
    this.tasks[snapshot.index] = snapshot;
    this.isStale = true;
    if (before.outcome === null && snapshot.outcome !== null) this.open -= 1;
    if (before.outcome !== null && snapshot.outcome === null) this.open += 1;
    if (this.open === 0) this.tearDown();
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

  /** Says why the run waits for endpoints of the quota; `null`: it doesn't. `width`: tasks after so many wait for those before them. */
  wait(message: string | null, width: number): void {
    if (message !== null && this.current.phase === 'starting') this.enter('waiting');
    const waits = ({ phase, outcome }: TaskSnapshot): boolean => phase === 'pending' && outcome === null;
    for (const { index } of this.tasks.filter(waits).slice(0, width)) this.change(index, { message });
    for (const [position, shared] of this.shared.all.entries())
      if (waits(shared)) this.shared.change(position, { message });
  }

  evaluating(): void {
    this.enter('evaluating');
  }

  /** Records a leftover resource that belongs to the run rather than to a task. */
  leave(resource: LeftResource): void {
    this.current = { ...this.snapshot, left: [...this.snapshot.left, resource] };
    this.show();
  }

  /** Records storage that is kept on purpose and belongs to the run rather than to a task. */
  keep(storage: KeptStorage): void {
    this.current = { ...this.snapshot, kept: [...this.snapshot.kept, storage] };
    this.show();
  }

  /** Records how an export goes. */
  report(report: ExportReport): void {
    const others = (this.current.exports ?? []).filter(({ to }) => to !== report.to);
    this.current = { ...this.snapshot, exports: [...others, report] };
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
    this.enter('done', verdictOf(outcome, this.snapshot));
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
      setCurrentDetails(runDetails(this.snapshot, Date.now()));
    });
  }
}

const costsTheSame = (one: Spent, other: Spent): boolean => {
  const [a, b] = [one, other].map(({ usage, earlierUsage }) => JSON.stringify([usage, earlierUsage]));
  return a === b;
};

/** Whether it looks like one. */
function isSnapshot(told: unknown): told is TaskSnapshot {
  const { index, phase } = (told ?? {}) as Partial<TaskSnapshot>;
  return typeof index === 'number' && typeof phase === 'string';
}

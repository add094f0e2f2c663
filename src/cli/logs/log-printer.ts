import { indexText } from '../../contract/identity';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunPlan, TaskPlan } from '../../contract/plan';
import type { TaskSnapshot } from '../../contract/state';
import { LeptonError } from '../../lepton/lepton-error';
import { harmlessLine } from '../../support/terminal-text';
import type { CommandContext } from '../command';
import { platformLines, savedLines, type LogWish } from './log-reading';
import { savedLogs, type LiveSource, type LogKind, type LogSource } from './log-sources';

/** Settings shared by all tasks' logs. */
export interface Reading {
  readonly context: CommandContext;
  readonly plan: RunPlan;
  readonly kind: LogKind;
  readonly wish: LogWish;
  /** Prefix lines with their task. */
  readonly marked: boolean;
  /** Returns `undefined` if the run's state is no longer known. */
  /** Copies a task's saved logs to where they are looked for, if they are elsewhere. */
  readonly bringSaved: (task: TaskPlan) => Promise<void>;
  readonly snapshotOf: (task: TaskPlan) => Promise<TaskSnapshot | undefined>;
}

/** Prints the logs of one task: that of each replica once, when it appears. */
export class LogPrinter {
  private readonly started = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly task: TaskPlan,
    private readonly reading: Reading,
  ) {}

  get hasStarted(): boolean {
    return this.started.size > 0;
  }

  /** Starts printing new sources. Saved logs are read one after the other, and not after the same log was read live. */
  async start(sources: readonly LogSource[]): Promise<void> {
    const isFirst = !this.hasStarted;
    const severalFrom = sources.length > 1 || !isFirst;
    for (const source of sources) {
      const key = source.kind === 'file' ? source.file : `${JSON.stringify(source.of)} ${source.replica}`;
      if (this.started.has(key) || (source.kind === 'file' && !isFirst)) continue;
      this.started.add(key);
      const printing = this.print(source, { isFirst, isOneOfSeveral: severalFrom });
      if (!this.reading.wish.follow || source.kind === 'file') {
        await printing;
        continue;
      }
      const tracked: Promise<void> = printing
        .catch((error: unknown) => void (this.failure ??= { error }))
        .finally(() => this.running.delete(tracked));
      this.running.add(tracked);
    }
  }

  /** Waits until one of the followed logs has ended, at most `ms`. */
  async wait(ms: number): Promise<void> {
    const enough = new AbortController();
    const time = sleep(ms, undefined, { signal: enough.signal }).catch(() => undefined);
    await Promise.race([...this.running, time]);
    enough.abort();
  }

  /** Whether all started logs have been read to the end, and no other replica will follow. */
  async isAtEnd(sources: readonly LogSource[]): Promise<boolean> {
    if (this.failure) throw this.failure.error;
    if (this.running.size > 0) return false;
    const live = sources.filter((source): source is LiveSource => source.kind === 'live');
    if (live.length === 0 && sources.length > 0) return true; // they are saved
    if (live.length === 0) {
      const state = await this.reading.snapshotOf(this.task);
      return state === undefined || state.outcome !== null || state.phase === 'done';
    }
    const ends = await Promise.all(live.map((source) => source.hasEnded()));
    return ends.every(Boolean);
  }

  private async print(
    source: LogSource,
    { isFirst, isOneOfSeveral }: { readonly isFirst: boolean; readonly isOneOfSeveral: boolean },
  ): Promise<void> {
    const { context, wish } = this.reading;
    const mark = this.markOf(source, isOneOfSeveral);
    const closing = new AbortController();
    const { readerGone } = context.output;
    const signal = AbortSignal.any([closing.signal, readerGone]);
    const lines = source.kind === 'file' ? savedLines(source, wish) : platformLines(source, wish, { isFirst, signal });
    try {
      for await (const line of lines) {
        await context.output.write(`${mark}${line}\n`);
        if (readerGone.aborted) return;
      }
    } catch (error) {
      if (readerGone.aborted) return;
      if (source.kind === 'file') throw error;
      await this.explain(source, error);
    } finally {
      closing.abort();
    }
  }

  /** An ended job may be removed while its log is still being read, and a replica may be replaced by another. */
  private async explain(source: LiveSource, error: unknown): Promise<void> {
    const { context, plan, kind, wish } = this.reading;
    const state = await this.reading.snapshotOf(this.task);
    if (state !== undefined && state.outcome !== null) {
      const [saved] = await savedLogs({ plan, task: this.task, kind, runsFolder: context.home.runs });
      wish.note(
        `the log was removed from the platform while it was read${saved ? `; all of it is in ${saved.file}` : ''}`,
      );
      return;
    }
    const isGone = error instanceof LeptonError && error.kind === 'not_found';
    if (!isGone || !wish.follow) throw error;
    wish.note(`replica ${harmlessLine(source.replica ?? '')} is gone from the platform`);
  }

  private markOf(source: LogSource, isOneOfSeveral: boolean): string {
    const { task } = this;
    const names = [
      ...(this.reading.marked ? [`${indexText(task.index)} ${harmlessLine(task.name)}`] : []),
      ...(isOneOfSeveral ? [harmlessLine(shortName(source))] : []),
    ];
    return names.length === 0 ? '' : `[${names.join(' ')}] `;
  }
}

/** Returns a short name that distinguishes the logs of one task. */
function shortName(source: LogSource): string {
  if (source.kind === 'live') return source.replica ?? 'log';
  return (
    source.file
      .split('/')
      .at(-1)
      ?.replace(/\.log$/, '') ?? source.file
  );
}

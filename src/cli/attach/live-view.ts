import { createLogUpdate } from 'log-update';
import type { RunDescription } from '../../client';
import type { RunSnapshot } from '../../contract/state';
import { costLine } from '../render/cost';
import { clock } from '../render/elapsed';
import { progressLines } from '../render/progress-lines';
import { linesBelow, runTable } from '../render/run-table';
import type { Output } from '../output';

/** Shows a run while it continues. */
export interface RunView {
  show(run: RunDescription): void;
  /** Prints a line that stays. */
  say(line: string): void;
  /** Leaves the last state on the screen. */
  end(): void;
}

export interface ViewOptions {
  /** How far Temporal's clock, which dates the run, is ahead, milliseconds; default 0. */
  readonly aheadMs?: number;
  /** What Ctrl-C does, for the line below the table. */
  readonly hint: string;
}

/** Creates a view: a table that is redrawn on a terminal, otherwise a line per change. */
export function createView(output: Output, options: ViewOptions): RunView {
  return output.isLive ? tableView(output, options) : lineView(output);
}

function lineView(output: Output): RunView {
  let before: RunSnapshot | undefined;
  const say = (line: string): void => output.note(`${clock(Date.now())} ${line}`);
  return {
    say,
    show({ snapshot }) {
      for (const line of progressLines(before, snapshot)) say(line);
      before = snapshot;
    },
    end: () => undefined,
  };
}

const REDRAW_MS = 1_000;

function tableView(output: Output, { aheadMs = 0, hint }: ViewOptions): RunView {
  const now = (): number => Date.now() + aheadMs;
  const draw = createLogUpdate(process.stderr);
  let current: RunDescription | undefined;
  const redraw = (): void => {
    if (!current) return;
    const { snapshot } = current;
    const maxRows = Math.max(3, output.height() - 8 - linesBelow(output.width()));
    const table = runTable({ snapshot, now: now(), width: output.width(), maxRows, style: output.style });
    draw(`${table}\n${footer(current, hint, now())}`);
  };
  const timer = setInterval(redraw, REDRAW_MS);
  timer.unref();
  return {
    show(run) {
      current = run;
      redraw();
    },
    say(line) {
      draw.clear();
      output.note(line);
      redraw();
    },
    end() {
      clearInterval(timer);
      redraw();
      draw.done();
    },
  };
}

function footer({ status, cancelRequested, snapshot }: RunDescription, usual: string, now: number): string {
  const hint = cancelRequested ? 'cancelling; Ctrl-C leaves it to the background' : usual;
  const [cost] = costLine(snapshot, now);
  const soFar = cost === undefined ? '' : `\n${cost}`;
  return status === 'running'
    ? `run ${snapshot.invocation}: ${snapshot.phase} (${hint})${soFar}`
    : `run ${snapshot.invocation}: ${status}${soFar}`;
}

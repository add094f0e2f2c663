import Table from 'cli-table3';
import { formatDuration } from '../../support/duration';
import type { RunSummary } from '../../client';
import type { ServiceStatus } from '../../stack/status';
import { elapsed } from './elapsed';
import { plainStyle, type Style } from './style';
import { shortenedInside } from '../../support/terminal-text';

/** A table without lines between its rows, and without colours. */
export const bare = {
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
};

/** Table of a home's background processes. Pure. */
export function stackTable(services: readonly ServiceStatus[], now: number, style: Style = plainStyle): string {
  const table = new Table({ head: ['Process', 'State', 'Pid', 'For', 'Ports', 'Log'], ...bare });
  for (const { name, state, pid, since, ports, log } of services) {
    const painted = state === 'running' ? style.good(state) : state === 'died' ? style.bad(state) : state;
    const open = Object.entries(ports).map(([use, port]) => `${use} ${port}`);
    table.push([
      name,
      painted,
      String(pid ?? ''),
      elapsed({ startedAt: since, endedAt: null }, now),
      open.join(', '),
      log,
    ]);
  }
  return table.toString();
}

/** Characters of the table of runs besides the model, including borders. */
const besideModel = 70;

/** Table of runs, newest first. Models are shortened only to fit a terminal of `width` characters. Pure. */
export function runsTable(runs: readonly RunSummary[], now: number, width = Infinity): string {
  const table = new Table({ head: ['Run', 'Status', 'Model', 'Started', 'Took'], ...bare });
  for (const { invocation, status, outcome, model, startedAt, closedAt } of runs) {
    const took = formatDuration((closedAt?.getTime() ?? now) - startedAt.getTime());
    table.push([
      invocation,
      statusText(status, outcome),
      shortenedInside(model, Math.max(20, width - besideModel)),
      localTime(startedAt),
      took,
    ]);
  }
  return table.toString();
}

/** Prefers the recorded outcome to Temporal's status, which may be completed although tasks failed. */
function statusText(status: RunSummary['status'], outcome: string | null): string {
  return status === 'running' || status === 'terminated' ? status : (outcome ?? status);
}

const localTime = (at: Date): string =>
  `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;

const two = (part: number): string => String(part).padStart(2, '0');

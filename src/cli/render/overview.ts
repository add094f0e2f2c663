import Table from 'cli-table3';
import { formatDuration } from '../../support/duration';
import { shownStatus, type RunSummary } from '../../client';
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
  const isNamed = runs.some(({ name }) => name !== null);
  const isRetried = runs.some(({ retryOf }) => retryOf !== undefined);
  // A list of one person's runs needs no column that says so.
  const isShared = new Set(runs.flatMap(({ owner }) => owner ?? [])).size > 1;
  const isTagged = runs.some(({ tags }) => tags.length > 0);
  const head = [
    'Run',
    ...(isNamed ? ['Name'] : []),
    ...(isShared ? ['Owner'] : []),
    'Status',
    ...(isRetried ? ['Retry of'] : []),
    'Model',
    ...(isTagged ? ['Tags'] : []),
    'Started',
    'Took',
  ];
  const table = new Table({ head, ...bare });
  const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map(({ length }) => length + 3));
  const labels =
    (isNamed ? widest(['Name', ...runs.map(({ name }) => name ?? '')]) : 0) +
    (isRetried ? 19 : 0) +
    (isShared ? widest(['Owner', ...runs.map(({ owner }) => owner ?? '')]) : 0) +
    (isTagged ? widest(['Tags', ...runs.map(({ tags }) => tags.join(' '))]) : 0);
  for (const run of runs) {
    const { invocation, name, tags, model, startedAt, closedAt } = run;
    const took = formatDuration((closedAt?.getTime() ?? now) - startedAt.getTime());
    table.push([
      invocation,
      ...(isNamed ? [name ?? ''] : []),
      ...(isShared ? [run.owner ?? ''] : []),
      shownStatus(run),
      ...(isRetried ? [run.retryOf ?? ''] : []),
      shortenedInside(model, Math.max(20, width - besideModel - labels)),
      ...(isTagged ? [tags.join(' ')] : []),
      localTime(startedAt),
      took,
    ]);
  }
  return table.toString();
}

const localTime = (at: Date): string =>
  `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;

const two = (part: number): string => String(part).padStart(2, '0');

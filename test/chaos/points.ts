import { indexIn } from '../../src/contract/identity';
import { resultsArchive } from '../../src/contract/results-archive';
import type { Border } from './ledger';

/** Points at which a run can be disturbed, derived from the request logs of undisturbed runs. Pure. */

/** A point at which to disturb a run: the `nth` request (from 1) of one kind. */
export interface Point {
  readonly border: Border;
  readonly method: string;
  /**
   * The route with names and ids replaced: `/deployments/:name`,
   * `/storage/default/shared/evalsaga/:run/:task/results.yml`.
   */
  readonly shape: string;
  readonly nth: number;
}

/** What identifies a run's names in a request. */
export interface Names {
  /** 16 hexadecimal digits; `undefined` until a command has chosen it. */
  invocation: string | undefined;
}

/** Routes of the simulated platform's model servers. */
const servingRoute = /^\/e\/[^/]+/;

/**
 * Returns the border that an HTTP request crosses, and its route without parts that differ from run to run. A listing
 * by name has a shape of its own.
 */
export function routeOf(path: string, { invocation }: Names): { border: 'platform' | 'model'; shape: string } {
  const [route = '', query = ''] = path.split('?');
  if (servingRoute.test(route)) return { border: 'model', shape: route.replace(servingRoute, '') };
  const shape = route
    .split('/')
    .map((part) => {
      if (part === invocation) return ':run';
      if (invocation !== undefined && part.includes(invocation.slice(0, 8))) return ':name';
      return /^\d+-/.test(part) ? ':task' : part;
    })
    .join('/');
  return { border: 'platform', shape: new URLSearchParams(query).has('q') ? `${shape}?q` : shape };
}

/** Returns the index of the task or shared endpoint that a request is about, by the names in its path and body. */
export function taskOf(text: string, { invocation }: Names): number | undefined {
  if (invocation === undefined) return undefined;
  const short = invocation.slice(0, 8);
  const found = new RegExp(`-(e?\\d+)-${short}|${invocation}/(\\d+)-|eval-${invocation}\\.(e?\\d+)`).exec(text);
  const index = found?.slice(1).find((digits) => digits !== undefined);
  return index === undefined ? undefined : indexIn(index);
}

/** Returns whether the request only reads: it does not matter whether it took effect before its answer was lost. */
export const isRead = ({ method }: Pick<Point, 'method'>): boolean =>
  method === 'GET' || method === 'HEAD' || /^(Describe|Get|List|Query)/.test(method);

/** Returns whether this is a task that Temporal delivers to a worker: faults can only come after that. */
export const isDelivery = ({ method, shape }: Pick<Point, 'method' | 'shape'>): boolean =>
  method.startsWith('Poll') && shape !== '';

/** Returns whether this asks for the archive that a job makes of its results. */
export const isArchive = ({ shape }: Pick<Point, 'shape'>): boolean => shape.endsWith(`/${resultsArchive}`);

/** Reads are repeated while the run waits; only the first few and some later ones are points. */
const sampledReads = new Set([1, 2, 3, 4, 6, 9, 14]);

const repeats = (point: Point): boolean => isRead(point) || (point.method.startsWith('Poll') && !isDelivery(point));

/**
 * Returns the points that came in every log, in the order of the first log: what comes only sometimes (one more read on
 * a slow machine) can't be targeted. Of repeated reads, the last third is left out for the same reason.
 */
export function pointsOf(logs: readonly (readonly Point[])[]): Point[] {
  const counts = logs.map((log) => {
    const byKind = new Map<string, number>();
    for (const point of log) byKind.set(kindOf(point), Math.max(byKind.get(kindOf(point)) ?? 0, point.nth));
    return byKind;
  });
  const reliableCount = (point: Point): number => {
    const least = Math.min(...counts.map((byKind) => byKind.get(kindOf(point)) ?? 0));
    return repeats(point) ? Math.max(Math.min(least, 1), Math.floor((least * 2) / 3)) : least;
  };
  return (logs[0] ?? [])
    .filter((point) => point.nth <= reliableCount(point))
    .map(({ border, method, shape, nth }) => ({ border, method, shape, nth }))
    .filter((point) => !repeats(point) || sampledReads.has(point.nth));
}

/** Returns the kind of a request, such as `platform POST /deployments`. */
export const kindOf = ({ border, method, shape }: Point): string =>
  `${border} ${method}${shape === '' ? '' : ` ${shape}`}`;

export const pointName = (point: Point): string => `${kindOf(point)} #${point.nth}`;

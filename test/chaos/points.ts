import type { Border } from './ledger';

/** Where a run talks to what is around it, derived from the logs of runs that went undisturbed. Pure. */

/** A place to disturb a run at: the `nth` request (from 1) of one kind. */
export interface Point {
  readonly border: Border;
  readonly method: string;
  /** The route with names and ids replaced: `/deployments/:name`, `/storage/default/shared/evalsaga/:run/:task/results.yml`. */
  readonly shape: string;
  readonly nth: number;
}

/** What a run's own names look like in a request. */
export interface Names {
  /** 16 hexadecimal digits; `undefined` while a command has not chosen it yet. */
  invocation: string | undefined;
}

/** Below it the simulated platform answers as the model servers of its endpoints. */
const servingRoute = /^\/e\/[^/]+/;

/** The border that an HTTP request crosses, and its route without what differs from run to run. A listing by name is another question than one of all. */
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

/** The index of the task that a request is about, told by the names in its path and body. */
export function taskOf(text: string, { invocation }: Names): number | undefined {
  if (invocation === undefined) return undefined;
  const short = invocation.slice(0, 8);
  const found = new RegExp(`-(\\d+)-${short}|${invocation}/(\\d+)-|eval-${invocation}\\.(\\d+)`).exec(text);
  const index = found?.slice(1).find((digits) => digits !== undefined);
  return index === undefined ? undefined : Number(index);
}

/** Asks and changes nothing: it does not matter whether it was answered before or after it was lost. */
export const isQuestion = ({ method }: Pick<Point, 'method'>): boolean =>
  method === 'GET' || method === 'HEAD' || /^(Describe|Get|List|Query)/.test(method);

/** A task that Temporal hands to a worker: it is taken already when something happens to it. */
export const isDelivery = ({ method, shape }: Pick<Point, 'method' | 'shape'>): boolean =>
  method.startsWith('Poll') && shape !== '';

/** Looks repeat for as long as one waits: of these only the first few and some later ones are places of their own. */
const looksTaken = new Set([1, 2, 3, 4, 6, 9, 14]);

const repeats = (point: Point): boolean => isQuestion(point) || (point.method.startsWith('Poll') && !isDelivery(point));

/**
 * The points that came in every one of the logs, in the order of the first: what comes now and then only (one look more on
 * a slow machine) can't be aimed at. Of looks that repeat, the last third is left out for the same reason.
 */
export function pointsOf(logs: readonly (readonly Point[])[]): Point[] {
  const counts = logs.map((log) => {
    const byKind = new Map<string, number>();
    for (const point of log) byKind.set(kindOf(point), Math.max(byKind.get(kindOf(point)) ?? 0, point.nth));
    return byKind;
  });
  const sure = (point: Point): number => {
    const least = Math.min(...counts.map((byKind) => byKind.get(kindOf(point)) ?? 0));
    return repeats(point) ? Math.max(Math.min(least, 1), Math.floor((least * 2) / 3)) : least;
  };
  return (logs[0] ?? [])
    .filter((point) => point.nth <= sure(point))
    .map(({ border, method, shape, nth }) => ({ border, method, shape, nth }))
    .filter((point) => !repeats(point) || looksTaken.has(point.nth));
}

/** `platform POST /deployments`. */
export const kindOf = ({ border, method, shape }: Point): string =>
  `${border} ${method}${shape === '' ? '' : ` ${shape}`}`;

export const pointName = (point: Point): string => `${kindOf(point)} #${point.nth}`;

/** Where a run talks to the platform, derived from the request log of one that went undisturbed. Pure. */

/** A place to disturb a run at: the `nth` request (from 1) of one method and route shape. */
export interface Point {
  readonly method: string;
  /** The route with names and ids replaced: `/deployments/:name`, `/storage/default/shared/evalsaga/:run/:task/results.yml`. */
  readonly shape: string;
  readonly nth: number;
}

/** What a run's own names look like in a request. */
export interface Names {
  /** 16 hexadecimal digits. */
  readonly invocation: string;
}

/** The route of a request without what differs from run to run. A listing by name is another question than one of all. */
export function shapeOf(path: string, { invocation }: Names): string {
  const [route = '', query = ''] = path.split('?');
  const short = invocation.slice(0, 8);
  const shape = route
    .split('/')
    .map((part) => {
      if (part === invocation) return ':run';
      if (part.includes(short)) return ':name';
      return /^\d+-/.test(part) ? ':task' : part;
    })
    .join('/');
  return new URLSearchParams(query).has('q') ? `${shape}?q` : shape;
}

/** The index of the task that a request is about, told by the names in its path and body. */
export function taskOf(text: string, { invocation }: Names): number | undefined {
  const found = new RegExp(`-(\\d+)-${invocation.slice(0, 8)}|${invocation}/(\\d+)-`).exec(text);
  const index = found?.[1] ?? found?.[2];
  return index === undefined ? undefined : Number(index);
}

/** Looks repeat for as long as one waits: of these only the first few and some later ones are places of their own. */
const looksTaken = new Set([1, 2, 3, 4, 5, 6, 8, 11, 15, 20]);

/** Every point of a log, in its order. `from`: requests before that one only bring the run to where it shall be disturbed. */
export function pointsOf(log: readonly { readonly method: string; readonly shape: string }[], from = 0): Point[] {
  const counts = new Map<string, number>();
  return log.flatMap(({ method, shape }, position) => {
    const key = `${method} ${shape}`;
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    const isTaken = position >= from && (method !== 'GET' || looksTaken.has(nth));
    return isTaken ? [{ method, shape, nth }] : [];
  });
}

export const pointName = ({ method, shape, nth }: Point): string => `${method} ${shape} #${nth}`;

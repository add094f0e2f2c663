import type { Border, Refusal } from './ledger';
import { isDelivery, isQuestion, type Point } from './points';

/** What can happen to one request. Pure. */

export interface Fault {
  readonly name: string;
  /**
   * When what was asked is done: after what is seen is decided (`before`: not at all, unless the request passes), before it
   * (`after`), at the same time (`during`), or seconds after it (`late`).
   */
  readonly moment: 'before' | 'during' | 'after' | 'late';
  readonly answer:
    /** The other side's own. */
    | { readonly kind: 'pass' }
    | Refusal
    /** The connection breaks, with all else that is on it. */
    | { readonly kind: 'cut' }
    /** The stream breaks, the connection stays. */
    | { readonly kind: 'reset' }
    /** None, for longer than anybody waits. */
    | { readonly kind: 'silence' };
  /** Whoever answers does not know what is asked for, and may be wrong. */
  readonly misleads?: true;
  /** Of whoever asks, the right to do so is denied: going on is not expected of it. */
  readonly denies?: true;
}

export const lateAfterMs = 2_000;

const refused = (status: number): Refusal => ({ kind: 'refuse', status });
const cut = { kind: 'cut' } as const;
const silence = { kind: 'silence' } as const;
/** The service's own words: more than once, nobody could tell them from the truth. */
const ownWords = 'in its own words';
const events: readonly Fault[] = [
  { name: 'none, before', moment: 'before', answer: { kind: 'pass' } },
  { name: 'none, after', moment: 'after', answer: { kind: 'pass' } },
];

/** As gateways without a route answer; and once as the service itself does, of a thing that is there. */
const wrong404s: readonly Fault[] = [
  { name: 'empty', page: { type: 'text/plain', text: '' } },
  { name: 'of a page', page: { type: 'text/html', text: '<html><body><h1>404 Not Found</h1></body></html>' } },
  {
    name: 'of a gateway',
    page: { type: 'application/json', text: JSON.stringify({ message: 'no Route matched with those values' }) },
  },
  {
    name: ownWords,
    page: {
      type: 'application/json',
      text: JSON.stringify({ code: 'ResourceNotFound', message: 'the requested resource was not found' }),
    },
  },
].map(({ name, page }) => ({
  name: `404 ${name}`,
  moment: 'before',
  answer: { ...refused(404), page },
  misleads: true,
}));

const httpFaults: readonly Fault[] = [
  ...events,
  { name: '500', moment: 'before', answer: refused(500) },
  { name: '500 but done', moment: 'after', answer: refused(500) },
  { name: '429', moment: 'before', answer: { ...refused(429), retryAfter: 1 } },
  { name: '401', moment: 'before', answer: refused(401), denies: true },
  { name: '500 and done late', moment: 'late', answer: refused(500) },
  { name: 'cut', moment: 'before', answer: cut },
  { name: 'cut but done', moment: 'after', answer: cut },
  { name: 'cut and done late', moment: 'late', answer: cut },
  { name: 'silence', moment: 'before', answer: silence },
  { name: 'silence but done', moment: 'after', answer: silence },
  { name: 'silence and done late', moment: 'late', answer: silence },
  ...wrong404s,
];

/** By their codes in gRPC. */
const grpc = { permissionDenied: 7, resourceExhausted: 8, unavailable: 14, unauthenticated: 16 } as const;

const temporalFaults: readonly Fault[] = [
  ...events,
  { name: 'unavailable', moment: 'before', answer: refused(grpc.unavailable) },
  { name: 'unavailable but done', moment: 'after', answer: refused(grpc.unavailable) },
  { name: 'exhausted', moment: 'before', answer: refused(grpc.resourceExhausted) },
  { name: 'unauthenticated', moment: 'before', answer: refused(grpc.unauthenticated), denies: true },
  { name: 'denied', moment: 'before', answer: refused(grpc.permissionDenied), denies: true },
  { name: 'cut', moment: 'before', answer: cut },
  { name: 'cut under way', moment: 'during', answer: cut },
  { name: 'cut but done', moment: 'after', answer: cut },
  { name: 'cut and done late', moment: 'late', answer: cut },
  { name: 'reset but done', moment: 'after', answer: { kind: 'reset' } },
  { name: 'silence', moment: 'before', answer: silence },
  { name: 'silence but done', moment: 'after', answer: silence },
];

const faultsOf = (border: Border): readonly Fault[] =>
  border === 'platform' || border === 'model' ? httpFaults : temporalFaults;

export const faultsAt = (point: Point): readonly Fault[] =>
  faultsOf(point.border).filter((fault) => makesDifference(fault, point));

/** For a question, it does not matter when it was answered; of a task that was handed over, only that it is lost. */
function makesDifference(fault: Fault, point: Point): boolean {
  if (isDelivery(point)) return fault.moment === 'after';
  // A HEAD has no body to tell them apart by.
  if (point.method === 'HEAD' && fault.misleads) return fault.name === '404 empty';
  const isIdempotent = isQuestion(point) || point.method.startsWith('Poll') || point.border === 'model';
  return !isIdempotent || fault.moment === 'before' || fault.name === 'none, after';
}

/** How many requests of the kind in a row it happens to. A silence before the model is a minute of waiting each. */
export function timesOf({ name, answer }: Fault, { border, method }: Point): readonly (1 | 3)[] {
  if (name.endsWith(ownWords) || (method === 'HEAD' && name.startsWith('404'))) return [1];
  return answer.kind === 'pass' || (answer.kind === 'silence' && border === 'model') ? [1] : [1, 3];
}

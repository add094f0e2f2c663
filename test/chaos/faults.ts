import type { Border, Damage, Refusal } from './ledger';
import { isArchive, isDelivery, isRead, type Point } from './points';

/** Faults that can be applied to a request. Pure. */

export interface Fault {
  readonly name: string;
  /**
   * When the event comes, relative to the request taking effect. `before`: the request then takes effect only if the
   * answer is `pass`. `after`: it takes effect first. `during`: at the same time. `late`: it takes effect seconds after
   * the answer.
   */
  readonly moment: 'before' | 'during' | 'after' | 'late';
  readonly answer:
    /** The real answer. */
    | { readonly kind: 'pass' }
    | Damage
    | Refusal
    /** The connection breaks, with all other requests on it. */
    | { readonly kind: 'cut' }
    /** The stream breaks, the connection stays. */
    | { readonly kind: 'reset' }
    /** No answer, for longer than anybody waits. */
    | { readonly kind: 'silence' };
  /** The answer says that something does not exist, although it may. */
  readonly misleads?: true;
  /** Access is denied, so the run may fail. */
  readonly denies?: true;
}

export const lateAfterMs = 2_000;

const refused = (status: number): Refusal => ({ kind: 'refuse', status });
const cut = { kind: 'cut' } as const;
const silence = { kind: 'silence' } as const;
/** Looks like the service's own response. It comes only once: repeated, it could not be told from the truth. */
const ownWords = 'in its own words';
const events: readonly Fault[] = [
  { name: 'none, before', moment: 'before', answer: { kind: 'pass' } },
  { name: 'none, after', moment: 'after', answer: { kind: 'pass' } },
];

/** Responses of gateways without a route, and a response of the service itself about something that does exist. */
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

/** Only the first is noticed without a checksum, which only the archive of results has. */
const damages: readonly (Fault & { readonly answer: Damage })[] = (
  ['breaks halfway', 'ends halfway', 'wrong bytes', 'a page'] as const
).map((how) => ({ name: `body: ${how}`, moment: 'before', answer: { kind: 'damage', how } }));

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
  ...damages,
];

/** gRPC status codes. */
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

/** For a read it does not matter when it takes effect; for a delivered task only its loss matters. */
function makesDifference(fault: Fault, point: Point): boolean {
  if (isDelivery(point)) return fault.moment === 'after';
  if (fault.answer.kind === 'damage')
    return point.method === 'GET' && (fault.answer.how === 'breaks halfway' || isArchive(point));
  // Responses to HEAD have no body, so the 404 faults are the same.
  if (point.method === 'HEAD' && fault.misleads) return fault.name === '404 empty';
  const isIdempotent = isRead(point) || point.method.startsWith('Poll') || point.border === 'model';
  return !isIdempotent || fault.moment === 'before' || fault.name === 'none, after';
}

/** Returns to how many consecutive requests the fault applies. Each silence of the model server takes a minute. */
export function timesOf({ name, answer }: Fault, { border, method }: Point): readonly (1 | 3)[] {
  if (name.endsWith(ownWords) || (method === 'HEAD' && name.startsWith('404'))) return [1];
  return answer.kind === 'pass' || (answer.kind === 'silence' && border === 'model') ? [1] : [1, 3];
}

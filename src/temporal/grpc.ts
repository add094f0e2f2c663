import { firstLine } from '../support/lines';
import { InfrastructureError } from './infrastructure-error';

/** What the gRPC status codes of Temporal's answers mean: nobody else judges them. No imports that cost a command time. */

export const grpcCodes = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/**
 * Nobody knows whether the call was carried out, and a later one may succeed. `cancelled` is what a closing connection
 * makes of calls under way; `unknown` and `internal` are what proxies and cut streams are turned into.
 */
const outages: ReadonlySet<number> = new Set([
  grpcCodes.cancelled,
  grpcCodes.unknown,
  grpcCodes.deadlineExceeded,
  grpcCodes.resourceExhausted,
  grpcCodes.aborted,
  grpcCodes.internal,
  grpcCodes.unavailable,
  grpcCodes.dataLoss,
]);

interface GrpcFault {
  readonly code: number;
  /** The server's own words. */
  readonly details: string;
}

/** The gRPC status behind an error of Temporal's client; `undefined` when it is no such error. Pure. */
function faultIn(error: unknown): GrpcFault | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'number' && 'details' in at && typeof at.details === 'string')
      return { code: at.code, details: at.details };
  }
  return undefined;
}

/** The status code behind an error of Temporal's client. Pure. */
export const grpcCodeOf = (error: unknown): number | undefined => faultIn(error)?.code;

/** Whether Temporal was not heard: asking again may help, and what was asked for may have been done. Pure. */
export function isOutage(error: unknown): boolean {
  if (isConnectTimeout(error)) return true;
  const fault = faultIn(error);
  return fault !== undefined && outages.has(fault.code) && !isOversized(fault) && !isOfWorker(fault);
}

/** gRPC's bound on one message has the code of an exhausted quota, but no wait makes the message smaller. */
const isOversized = ({ code, details }: GrpcFault): boolean =>
  code === grpcCodes.resourceExhausted && /larger than max/i.test(details);

/**
 * A question to a workflow that its worker did not answer: the deadline passes, and which end notices first names it; where the
 * worker ends meanwhile, the server cancels the question. Pure.
 */
export function isUnanswered(error: unknown): boolean {
  const fault = faultIn(error);
  if (fault === undefined) return false;
  return fault.code === grpcCodes.deadlineExceeded || fault.code === grpcCodes.cancelled || isOfWorker(fault);
}

/** Temporal itself answers: it holds few questions for a worker that has not answered the ones before. */
const isOfWorker = ({ code, details }: GrpcFault): boolean =>
  code === grpcCodes.resourceExhausted && /query buffer is full/i.test(details);

/** Whether it is an error of Temporal's client that carries gRPC's status. Pure. */
export const isTemporalFault = (error: unknown): boolean => isConnectTimeout(error) || faultIn(error) !== undefined;

/** Whether the credentials or permissions do not do: asking again does not help. Pure. */
export function isRefusedAccess(error: unknown): boolean {
  const code = grpcCodeOf(error);
  return code === grpcCodes.permissionDenied || code === grpcCodes.unauthenticated;
}

/** gRPC's client says so in words alone when a connection did not come about. */
const isConnectTimeout = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('Failed to connect before the deadline');

/** Whom a command asked. */
export interface AskedServer {
  /** `Temporal at ADDRESS`. */
  readonly name: string;
  readonly namespace: string;
  /** The home's own server, which `up` brings back. */
  readonly isEmbedded: boolean;
}

/** What to tell a user of an error of Temporal's client; `undefined`: it is none, or says so itself. Pure. */
export function explainFault(error: unknown, server: AskedServer): InfrastructureError | undefined {
  if (error instanceof InfrastructureError || !isTemporalFault(error)) return undefined;
  const fault = faultIn(error);
  const seen = firstLine(fault?.details || (error as Error).message);
  return new InfrastructureError(textOf({ error, code: fault?.code, seen, server }), { cause: error });
}

function textOf(fault: { error: unknown; code: number | undefined; seen: string; server: AskedServer }): string {
  const { error, code, seen, server } = fault;
  const { name, namespace } = server;
  if (isRefusedAccess(error)) {
    return `${name} refused the credentials for namespace "${namespace}" (${seen}). Check TEMPORAL_API_KEY or the TLS client certificate.`;
  }
  if (isOutage(error)) return `${name} cannot be reached (${seen}). ${remedy(server)}`;
  switch (code) {
    case grpcCodes.notFound:
      return `${name} has no namespace "${namespace}", or no longer what was asked for (${seen}). Check TEMPORAL_NAMESPACE; an administrator can create it.`;
    case grpcCodes.unimplemented:
      return `${name} does not know this call (${seen}). Its server is too old, or the address is not Temporal's: check TEMPORAL_ADDRESS.`;
    default:
      return `${name} refused the call (${seen}).`;
  }
}

const remedy = ({ isEmbedded }: AskedServer): string =>
  isEmbedded
    ? 'Runs are safe in its database and go on when it is back: evalsaga up. If it hangs: evalsaga down --force, then evalsaga up'
    : 'Runs are safe in it and go on when it is back. Check TEMPORAL_ADDRESS or your temporal.toml profile, and that the server runs, then try again.';

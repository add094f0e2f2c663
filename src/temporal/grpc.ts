import { firstLine } from '../support/lines';
import { InfrastructureError } from './infrastructure-error';

/** What the gRPC status codes of Temporal mean; all code decides here. No imports that would slow commands down. */

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
 * The call may or may not have been carried out, and a later one may succeed. A closing connection turns pending calls into
 * `cancelled`; proxies and cut streams become `unknown` and `internal`.
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
  /** The server's message. */
  readonly details: string;
}

/** Returns the gRPC status behind an error of Temporal's client; `undefined` if it has none. Pure. */
function faultIn(error: unknown): GrpcFault | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'number' && 'details' in at && typeof at.details === 'string')
      return { code: at.code, details: at.details };
  }
  return undefined;
}

/** Returns the status code behind an error of Temporal's client. Pure. */
export const grpcCodeOf = (error: unknown): number | undefined => faultIn(error)?.code;

/**
 * Whether Temporal doesn't know a search attribute, which may have been registered just now: each frontend of a cluster reads the
 * namespace again only after some time. The code alone says less, so the server's words count. Pure.
 */
export function lacksSearchAttribute(error: unknown): boolean {
  const fault = faultIn(error);
  return fault?.code === grpcCodes.invalidArgument && /search attribute/i.test(fault.details);
}

/** Whether no answer of Temporal arrived: a retry may help, and the call may have been carried out. Pure. */
export function isOutage(error: unknown): boolean {
  if (isConnectTimeout(error)) return true;
  const fault = faultIn(error);
  return fault !== undefined && outages.has(fault.code) && !isOversized(fault) && !isOfWorker(fault);
}

/** A message over gRPC's limit has the code of an exhausted quota, but no retry makes it smaller. */
const isOversized = ({ code, details }: GrpcFault): boolean =>
  code === grpcCodes.resourceExhausted && /larger than max/i.test(details);

/**
 * Whether a worker did not answer a query. Client and server both watch the deadline, and either may report it; if the worker
 * shuts down meanwhile, the server cancels the query. Pure.
 */
export function isUnanswered(error: unknown): boolean {
  const fault = faultIn(error);
  if (fault === undefined) return false;
  return fault.code === grpcCodes.deadlineExceeded || fault.code === grpcCodes.cancelled || isOfWorker(fault);
}

/** Temporal itself refuses: it queues only a few queries for a worker that does not answer. */
const isOfWorker = ({ code, details }: GrpcFault): boolean =>
  code === grpcCodes.resourceExhausted && /query buffer is full/i.test(details);

/** Whether an error of Temporal's client carries a gRPC status. Pure. */
export const isTemporalFault = (error: unknown): boolean => isConnectTimeout(error) || faultIn(error) !== undefined;

/** Whether credentials or permissions were refused: a retry does not help. Pure. */
export function isRefusedAccess(error: unknown): boolean {
  const code = grpcCodeOf(error);
  return code === grpcCodes.permissionDenied || code === grpcCodes.unauthenticated;
}

/** gRPC's client reports a failed connection by its text alone. */
const isConnectTimeout = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('Failed to connect before the deadline');

/** The server of a call, for error messages. */
export interface TemporalServer {
  /** `Temporal at ADDRESS`. */
  readonly name: string;
  readonly namespace: string;
  /** Whether it is the home's own server, which `up` restarts. */
  readonly isEmbedded: boolean;
}

/** Returns an error with an explanation and advice; `undefined` if it has one already, or is not Temporal's. Pure. */
export function explainFault(error: unknown, server: TemporalServer): InfrastructureError | undefined {
  if (error instanceof InfrastructureError || !isTemporalFault(error)) return undefined;
  const fault = faultIn(error);
  const seen = firstLine(fault?.details || (error as Error).message);
  return new InfrastructureError(textOf({ error, code: fault?.code, seen, server }), { cause: error });
}

function textOf(fault: { error: unknown; code: number | undefined; seen: string; server: TemporalServer }): string {
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

const remedy = ({ isEmbedded }: TemporalServer): string =>
  isEmbedded
    ? 'Runs are safe in its database and go on when it is back: evalsaga up. If it hangs: evalsaga down --force, then evalsaga up'
    : 'Runs are safe in it and go on when it is back. Check TEMPORAL_ADDRESS or your temporal.toml profile, and that the server runs, then try again.';

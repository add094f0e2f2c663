import type { ConnectionLike } from '@temporalio/client';
import { homeIdentity } from '../home/home-identity';
import type { HomePaths } from '../home/paths';
import { answerWithinMs } from './deadlines';
import { InfrastructureError } from './infrastructure-error';
import { busyForMs, retryDuringOutages } from './retry-during-outages';

/**
 * Returns the origin: the name of the Temporal installation that owns a run. Everything that runs create carries it, so that a
 * sweep never touches another installation's resources. The id of a namespace is a UUID in its database. An embedded server is
 * named by its home and that id; a cluster by that id alone, which survives a failover and which any token can read.
 */
export async function originOf(options: OriginRequest): Promise<string> {
  const id = await namespaceId(options);
  return originWith({ ...options, id });
}

interface NamespaceRequest {
  readonly connection: Pick<ConnectionLike, 'workflowService' | 'withDeadline'>;
  readonly namespace: string;
}

interface OriginRequest extends NamespaceRequest {
  readonly home: Pick<HomePaths, 'root'>;
  /** Whether the server is the home's own. */
  readonly embedded: boolean;
}

/**
 * Returns the id that the server's database has for the namespace: another one means another database. `withinMs`: milliseconds for
 * which it is asked again while it can't be reached or is busy.
 */
export async function namespaceId(
  { connection, namespace }: NamespaceRequest,
  { withinMs = busyForMs }: { readonly withinMs?: number } = {},
): Promise<string> {
  const ask = () => connection.workflowService.describeNamespace({ namespace });
  const { namespaceInfo } = await retryDuringOutages(() => connection.withDeadline(Date.now() + answerWithinMs, ask), {
    withinMs,
  });
  if (namespaceInfo?.id) return namespaceInfo.id;
  throw new InfrastructureError(`Temporal returned no id for the namespace ${namespace}.`);
}

/** The ids that connections found when they were made. */
const found = new WeakMap<object, string>();

/** Returns the id that was noted when the connection was made, else asks. */
export const namespaceIdAtConnect = async (request: NamespaceRequest): Promise<string> =>
  found.get(request.connection) ?? (await namespaceId(request));

/** Notes the id of the namespace that a new connection serves. */
export function noteNamespace({ connection }: Pick<NamespaceRequest, 'connection'>, id: string): void {
  found.set(connection, id);
}

/**
 * Throws `InfrastructureError` if the server that answers now is not the one that the connection was made to: another home's may have
 * taken the port of one that has died, and knows none of its workflows. To be asked before "no such workflow" is believed.
 */
export async function refuseAnotherServer(request: NamespaceRequest): Promise<void> {
  const before = found.get(request.connection);
  if (before === undefined || before === (await namespaceId(request))) return;
  throw new InfrastructureError(
    `Temporal's namespace "${request.namespace}" is another one than a moment ago: another server answers at the same address now. Nothing is concluded from what it does not know. Run the command again.`,
  );
}

/** Returns the origin for a namespace whose id is known. */
export async function originWith(
  options: Pick<OriginRequest, 'namespace' | 'home' | 'embedded'> & { readonly id: string },
): Promise<string> {
  const { namespace, home, embedded, id } = options;
  return embedded ? `home:${await homeIdentity(home)}/${id}` : `namespace:${id}/${namespace}`;
}

/**
 * How the origin in a mark relates to our own.
 * - `own`: it is ours.
 * - `replaced`: this home in this place made it, when its Temporal had another database.
 * - `earlier`: an earlier build made it, perhaps ours: `home:<id>` without a place, `cluster:<id>/<namespace>`.
 * - `foreign`: it is another installation's, or that of the home which this one was copied from.
 */
export type Kinship = 'own' | 'replaced' | 'earlier' | 'foreign';

/** Compares the origin in a mark to our own. Pure. */
export function kinshipOf(mark: string, own: string): Kinship {
  if (mark === own) return 'own';
  const ours = parse(own);
  const theirs = parse(mark);
  switch (theirs.kind) {
    case 'home':
      return ours.kind === 'home' && ours.home === theirs.home ? 'replaced' : 'foreign';
    case 'earlier home':
      return ours.kind === 'home' && ours.home.startsWith(`${theirs.id}@`) ? 'earlier' : 'foreign';
    case 'earlier cluster':
      return ours.kind === 'namespace' && ours.name === theirs.name ? 'earlier' : 'foreign';
    case 'namespace':
    case 'other':
      return 'foreign';
  }
}

type Parsed =
  | { readonly kind: 'home'; readonly home: string }
  | { readonly kind: 'earlier home'; readonly id: string }
  | { readonly kind: 'namespace' | 'earlier cluster'; readonly name: string }
  | { readonly kind: 'other' };

function parse(origin: string): Parsed {
  const [, scheme = '', first = '', second] = /^(home|namespace|cluster):([^/]+)(?:\/(.+))?$/.exec(origin) ?? [];
  switch (scheme) {
    case 'home':
      return second === undefined ? { kind: 'earlier home', id: first } : { kind: 'home', home: first };
    case 'namespace':
      return { kind: 'namespace', name: second ?? '' };
    case 'cluster':
      return { kind: 'earlier cluster', name: second ?? '' };
    default:
      return { kind: 'other' };
  }
}

/** Returns the namespace in the origin of a cluster; `undefined` for a home's. Pure. */
export function namespaceIn(origin: string): string | undefined {
  const parsed = parse(origin);
  return parsed.kind === 'namespace' || parsed.kind === 'earlier cluster' ? parsed.name : undefined;
}

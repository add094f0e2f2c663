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
export async function originOf(options: {
  readonly connection: Pick<ConnectionLike, 'workflowService' | 'withDeadline'>;
  readonly namespace: string;
  readonly home: Pick<HomePaths, 'root'>;
  /** Whether the server is the home's own. */
  readonly embedded: boolean;
}): Promise<string> {
  const { connection, namespace, home, embedded } = options;
  const ask = () => connection.workflowService.describeNamespace({ namespace });
  const { namespaceInfo } = await retryDuringOutages(() => connection.withDeadline(Date.now() + answerWithinMs, ask), {
    withinMs: busyForMs,
  });
  const id = namespaceInfo?.id;
  if (!id) throw new InfrastructureError(`Temporal returned no id for the namespace ${namespace}.`);
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

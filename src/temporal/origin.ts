import type { ConnectionLike } from '@temporalio/client';
import { homeIdentity } from '../home/home-identity';
import type { HomePaths } from '../home/paths';
import { answerWithinMs } from './deadlines';
import { InfrastructureError } from './infrastructure-error';
import { busyForMs, throughOutages } from './through-outages';

/**
 * Names the Temporal installation that owns a run: written into everything that runs create, so that a sweeper never
 * touches what belongs to another. The namespace's own id is a UUID of its database: a home's embedded server goes by the
 * home and that id, a cluster by that id alone, which survives a failover and which any token of the namespace may read.
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
  const { namespaceInfo } = await throughOutages(() => connection.withDeadline(Date.now() + answerWithinMs, ask), {
    withinMs: busyForMs,
  });
  const id = namespaceInfo?.id;
  if (!id) throw new InfrastructureError(`Temporal did not tell the id of its namespace ${namespace}.`);
  return embedded ? `home:${await homeIdentity(home)}/${id}` : `namespace:${id}/${namespace}`;
}

/**
 * How a mark relates to the installation that judges it. `own`: made by it. `replaced`: made by this home in this place,
 * when its Temporal had another database. `earlier`: an earlier build's mark, which may be ours: `home:<id>` without a place,
 * `cluster:<id>/<namespace>`. `foreign`: another one's, also a copied home's.
 */
export type Kinship = 'own' | 'replaced' | 'earlier' | 'foreign';

/** Pure. */
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

/** The namespace in the mark of a cluster; `undefined`: it is a home's. Pure. */
export function namespaceIn(origin: string): string | undefined {
  const parsed = parse(origin);
  return parsed.kind === 'namespace' || parsed.kind === 'earlier cluster' ? parsed.name : undefined;
}

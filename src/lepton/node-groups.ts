import { failureTypes } from '../contract/failure-types';
import type { LeptonClient } from './types';
import { finalFailure } from '../activities/failures';

/** The id of a node group that the user named by name or id; `null` for any. Unknown ones are refused with the list. */
export async function resolveNodeGroup(client: LeptonClient, wanted: string | null): Promise<string | null> {
  if (wanted === null) return null;
  const groups = await client.listNodeGroups();
  const found = groups.find(({ id }) => id === wanted) ?? groups.find(({ name }) => name === wanted);
  if (found) return found.id;
  const known = groups.map(({ id, name }) => (id === name ? id : `${name} (${id})`)).join(', ');
  throw finalFailure(
    failureTypes.requestRefused,
    `node group "${wanted}" is not in this workspace. It has: ${known === '' ? 'none' : known}. Set node_group to one of them, or to null for any.`,
  );
}

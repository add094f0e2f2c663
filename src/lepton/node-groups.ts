import { LeptonError } from './lepton-error';
import type { LeptonClient } from './types';

/**
 * Returns the id of a node group given by name or id; `null` for any. Rejects with a `LeptonError` of kind `invalid_request`
 * that lists the workspace's groups if there is none of that name.
 */
export async function resolveNodeGroup(client: LeptonClient, wanted: string | null): Promise<string | null> {
  if (wanted === null) return null;
  const groups = await client.listNodeGroups();
  const found = groups.find(({ id }) => id === wanted) ?? groups.find(({ name }) => name === wanted);
  if (found) return found.id;
  const known = groups.map(({ id, name }) => (id === name ? id : `${name} (${id})`)).join(', ');
  throw new LeptonError(
    `node group "${wanted}" is not in this workspace. It has: ${known === '' ? 'none' : known}. Set node_group to one of them, or to null for any.`,
    { kind: 'invalid_request', request: 'GET /dedicated-node-groups' },
  );
}

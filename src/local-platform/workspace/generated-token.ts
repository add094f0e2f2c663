import { newToken } from '../access';
import type { JsonObject } from '../json';
import type { DeploymentRecord } from '../state/records';

/**
 * Secure endpoint defaults of a workspace: an endpoint that is created without tokens is protected by a generated one, which only
 * the create's answer carries. Pure, except for the token itself.
 */

const hidden = '***';

/** Returns the token for an endpoint that is created with this spec; `undefined`: it gets none. */
export function generatedToken(spec: JsonObject, workspace: { readonly secureEndpoints: boolean }): string | undefined {
  const tokens = spec['api_tokens'];
  const isUndecided = !(Array.isArray(tokens) && tokens.length > 0) && spec['allow_unauthenticated_access'] !== true;
  return workspace.secureEndpoints && isUndecided && spec['is_pod'] !== true ? newToken() : undefined;
}

/** Returns the record as every answer but the create's shows it. */
export function withoutGenerated(record: DeploymentRecord): DeploymentRecord {
  if (record.hasGeneratedToken !== true) return record;
  return { ...record, spec: { ...record.spec, api_tokens: [{ value: hidden }] } };
}

/** Returns the patch without a generated token as a client has read it, which would replace the token itself. */
export function withoutHidden(spec: JsonObject): JsonObject {
  const isRead = JSON.stringify(spec['api_tokens']) === JSON.stringify([{ value: hidden }]);
  return isRead ? Object.fromEntries(Object.entries(spec).filter(([key]) => key !== 'api_tokens')) : spec;
}

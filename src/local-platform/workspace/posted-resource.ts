import { isPlainObject } from '../../support/plain-object';
import { invalid } from '../api-error';
import { objectAt, textAt, withoutNulls, type JsonObject } from '../json';
import { checkName, type ResourceKind } from './spec-rules';

/** Metadata keys that the platform sets itself. */
const platformKeys = ['id', 'name', 'created_at', 'version', 'last_modified_at'];

/** A deployment or job as posted, checked. */
export interface PostedResource {
  readonly name: string;
  /** Without the keys that the platform sets. */
  readonly metadata: JsonObject;
  readonly spec: JsonObject;
}

/** Reads a posted deployment or job. Throws 400 for an invalid name or spec. Pure. */
export function readPosted(
  kind: ResourceKind,
  posted: JsonObject,
  checkSpec: (spec: JsonObject) => void,
): PostedResource {
  const metadata = withoutNulls(objectAt(posted, 'metadata'));
  const name = textAt(metadata, 'name') ?? textAt(metadata, 'id');
  if (name === undefined) throw invalid(`metadata.name: a ${kind} needs a name`);
  checkName(kind, name);
  if (!isPlainObject(posted['spec'])) throw invalid(`spec: a ${kind} needs a spec`);
  const spec = withoutNulls(posted['spec']);
  checkSpec(spec);
  return { name, metadata: withoutPlatformKeys(metadata), spec };
}

/** Drops the metadata keys that the platform sets itself. Pure. */
export const withoutPlatformKeys = (metadata: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(metadata).filter(([key]) => !platformKeys.includes(key)));

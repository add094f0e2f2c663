/** Finds where a key belongs that was written at the wrong place. Pure. */
import { documentationOf } from '../schema/accepts';
import type { Schema } from '../schema/accepts';
import { configSchema } from '../schema/config';
import type { DeploymentType } from '../schema/deployment';
import type { Path } from '../yaml/tree';

/** How far below a section, or below one that contains it, a key is looked for. */
const reach = 3;

/** More places than this are no help. */
const maxPlaces = 3;

/** Returns the sections that have a key of this name: those nearest to `path` first found, or none. */
export function placesFor(key: string, path: Path, type: DeploymentType): readonly Path[] {
  for (let length = path.length; length >= 0; length--) {
    const section = path.slice(0, length);
    const schema = schemaAt(configSchema(type), section);
    const found = schema === undefined ? [] : [...sectionsWith(key, schema, section, length === 0 ? 2 : reach)];
    if (found.length > 0) return found.length > maxPlaces ? [] : found;
  }
  return [];
}

function schemaAt(schema: Schema, path: Path): Schema | undefined {
  return path.reduce<Schema | undefined>((current, key) => {
    const accepts = current === undefined ? undefined : acceptsOf(current);
    if (accepts?.kind === 'list') return accepts.item;
    return accepts?.kind === 'section' && Object.hasOwn(accepts.shape, key) ? accepts.shape[key] : undefined;
  }, schema);
}

function acceptsOf(schema: Schema): ReturnType<typeof documentationOf>['accepts'] {
  const { accepts } = documentationOf(schema);
  return accepts.kind === 'nullable' ? acceptsOf(accepts.inner) : accepts;
}

function* sectionsWith(key: string, schema: Schema, path: Path, depth: number): Generator<Path> {
  const accepts = acceptsOf(schema);
  if (accepts.kind !== 'section') return;
  if (Object.hasOwn(accepts.shape, key)) {
    yield path;
    return;
  }
  if (depth === 0) return;
  for (const [name, inner] of Object.entries(accepts.shape)) {
    // Targets of exports have names that are common elsewhere, such as `tags`.
    if (path.length === 0 && name === 'export') continue;
    yield* sectionsWith(key, inner, [...path, name], depth - 1);
  }
}

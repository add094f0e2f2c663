/** Reads the parts of the config schema from which the documents are generated. */
import { documentationOf } from '../../src/config/schema/accepts';
import type { Schema } from '../../src/config/schema/accepts';
import { configSchema } from '../../src/config/schema/config';
import { deploymentTypes as types } from '../../src/config/schema/deployment';
import type { DeploymentType } from '../../src/config/schema/deployment';

export type Shape = Readonly<Record<string, Schema>>;
export const deploymentTypes: readonly string[] = types;

function shapeOf(schema: Schema): Shape {
  const { accepts } = documentationOf(schema);
  if (accepts.kind !== 'section') throw new Error(`expected a section, found ${accepts.kind}`);
  return accepts.shape;
}

/** Returns the top-level keys of the config, with `deployment` of the given type. */
export const rootShape = (type = 'vllm'): Shape => shapeOf(configSchema(type as DeploymentType));

export const deploymentShape = (type: string): Shape => shapeOf(rootShape(type)['deployment'] as Schema);

/** Returns the section that a key accepts, directly, in a list, by name or as an alternative to null; `undefined` if none. */
export function innerShape(schema: Schema): { readonly shape: Shape; readonly suffix: string } | undefined {
  const { accepts } = documentationOf(schema);
  switch (accepts.kind) {
    case 'section':
      return { shape: accepts.shape, suffix: '' };
    case 'nullable':
      return innerShape(accepts.inner);
    case 'list': {
      const inner = innerShape(accepts.item);
      return inner === undefined ? undefined : { ...inner, suffix: `[]${inner.suffix}` };
    }
    case 'record': {
      const inner = innerShape(accepts.value);
      return inner === undefined ? undefined : { ...inner, suffix: `.NAME${inner.suffix}` };
    }
    default:
      return undefined;
  }
}

/** Yields every key below `shape` with its dotted path. */
export function* keysOf(shape: Shape, path = ''): Generator<{ readonly path: string; readonly schema: Schema }> {
  for (const [key, schema] of Object.entries(shape)) {
    const here = path === '' ? key : `${path}.${key}`;
    yield { path: here, schema };
    const inner = innerShape(schema);
    if (inner !== undefined) yield* keysOf(inner.shape, `${here}${inner.suffix}`);
  }
}

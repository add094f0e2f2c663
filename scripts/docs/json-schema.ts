/**
 * The JSON Schema for editors. It is looser than evalsaga's own checks, because values may come from interpolations
 * or presets.
 */
import { documentationOf } from '../../src/config/schema/accepts';
import type { Accepts, Schema } from '../../src/config/schema/accepts';
import { deploymentShape, deploymentTypes, rootShape } from './outline';
import type { Shape } from './outline';

type Json = Readonly<Record<string, unknown>>;

/** Matches values that are known later: `${…}` anywhere in a text, or `???`. */
const later = String.raw`\$\{|^\?\?\?$`;
const reference = {
  type: 'object',
  properties: {
    value_from: {
      type: 'object',
      properties: { secret_name_ref: { type: 'string' }, token_name_ref: { type: 'string' } },
      minProperties: 1,
      maxProperties: 1,
      additionalProperties: false,
    },
  },
  required: ['value_from'],
  additionalProperties: false,
} as const;

/** Extends a pattern to also match values that are known later. */
const orLater = (pattern: string): string => `(?:${pattern})|${later}`;

interface Place {
  /** In a list, required keys must be given: no preset can fill them in. */
  readonly inList: boolean;
}

type Scalar = Extract<Accepts, { readonly kind: 'text' | 'integer' | 'decimal' | 'duration' | 'flag' | 'choice' }>;

/** Returns the schema of a single value. */
function scalarSchema(accepts: Scalar): Json {
  switch (accepts.kind) {
    case 'text':
      return { type: ['string', 'number', 'boolean'], ...textLimits(accepts) };
    case 'integer':
      return { type: ['integer', 'string'], minimum: accepts.min, ...upperLimit(accepts), pattern: later };
    case 'decimal':
      return {
        type: ['number', 'string'],
        [accepts.above === true ? 'exclusiveMinimum' : 'minimum']: accepts.min,
        ...upperLimit(accepts),
        pattern: later,
      };
    case 'duration':
      return {
        type: ['number', 'string'],
        [accepts.zero === true ? 'minimum' : 'exclusiveMinimum']: 0,
        pattern: orLater(String.raw`^\s*(?:\d+(?:\.\d+)?\s*[smhd]|(?:\d{1,4}:)?\d{1,4}:[0-5]\d)\s*$`),
      };
    case 'flag':
      return { type: ['boolean', 'string'], pattern: later };
    case 'choice':
      return { anyOf: [{ enum: accepts.allowed }, { type: 'string', pattern: later }] };
  }
}

function textLimits({ pattern, empty }: Extract<Accepts, { readonly kind: 'text' }>): Json {
  if (pattern !== undefined) return { pattern: orLater(pattern.source) };
  return empty === true ? {} : { minLength: 1 };
}

const upperLimit = ({ max }: { readonly max?: number | undefined }): Json =>
  max === undefined ? {} : { maximum: max };

/** Returns the schema of a value: a mapping, list or section, or else a single value. */
function valueSchema(accepts: Accepts, place: Place): Json {
  switch (accepts.kind) {
    case 'anything':
      return {};
    case 'none':
      return { type: ['object', 'array', 'null'], maxProperties: 0, maxItems: 0 };
    case 'mapping':
      return { type: ['object', 'null', 'string'], pattern: later };
    case 'variables':
      return mappingTo(variable(accepts.needsPrefix));
    case 'record':
      return mappingTo(valueSchema(documentationOf(accepts.value).accepts, place));
    case 'token':
      return {
        anyOf: [{ type: 'string', pattern: orLater('^host:') }, reference, { type: 'object', required: ['value'] }],
      };
    case 'nullable':
      return nullable(valueSchema(documentationOf(accepts.inner).accepts, place));
    case 'list': {
      const items = valueSchema(documentationOf(accepts.item).accepts, { inList: true });
      return { type: ['array', 'null', 'string'], pattern: later, items };
    }
    case 'section':
      return sectionSchema(accepts.shape, place);
    default:
      return scalarSchema(accepts);
  }
}

const mappingTo = (values: Json): Json => ({
  type: ['object', 'null', 'string'],
  pattern: later,
  additionalProperties: values,
});

function nullable(schema: Json): Json {
  const { type, anyOf } = schema;
  if (Array.isArray(anyOf)) return { ...schema, anyOf: [...(anyOf as unknown[]), { type: 'null' }] };
  if (!Array.isArray(type) || type.includes('null')) return schema;
  return { ...schema, type: [...(type as unknown[]), 'null'] };
}

const variable = (needsPrefix: boolean): Json => ({
  anyOf: [
    needsPrefix
      ? { type: ['string', 'number', 'boolean'], pattern: orLater('^(?:lit|host|runtime):') }
      : { type: ['string', 'number', 'boolean'] },
    reference,
  ],
});

function keySchema(schema: Schema, place: Place): Json {
  const { accepts, description, default: value } = documentationOf(schema);
  return {
    ...(description === undefined ? {} : { description }),
    ...valueSchema(accepts, place),
    ...(value === undefined ? {} : { default: value }),
  };
}

function sectionSchema(shape: Shape, place: Place): Json {
  const entries = Object.entries(shape);
  const required = place.inList ? entries.filter(([, schema]) => isRequired(schema)).map(([key]) => key) : [];
  return {
    type: ['object', 'null', 'string'],
    pattern: later,
    properties: Object.fromEntries(entries.map(([key, schema]) => [key, keySchema(schema, { inList: false })])),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

/** Returns whether the key must be given, because it has no default. */
export function isRequired(schema: Schema): boolean {
  const { accepts, optional, default: value } = documentationOf(schema);
  const single = ['text', 'integer', 'decimal', 'duration', 'flag', 'choice'].includes(accepts.kind);
  return single && !optional && value === undefined;
}

/** Refuses keys of `deployment` that a type does not have, if the file's `defaults` choose that type. */
function ofType(type: string): Json {
  const allowed = Object.keys(deploymentShape(type));
  const chosen = { type: 'object', properties: { deployment: { const: type } }, required: ['deployment'] };
  return {
    if: { type: 'object', properties: { defaults: { type: 'array', contains: chosen } }, required: ['defaults'] },
    then: { properties: { deployment: { propertyNames: { enum: allowed } } } },
  };
}

/** Returns the schema as text. */
export function editorSchema(): string {
  const { deployment, ...others } = rootShape();
  const all = Object.assign({}, ...deploymentTypes.map(deploymentShape).reverse()) as Shape;
  const { description } = documentationOf(deployment as Schema);
  const types = {
    anyOf: [{ enum: deploymentTypes }, { type: 'string', pattern: later }],
    description: 'What serves the model.',
  };
  const { properties, ...rest } = sectionSchema(all, { inList: false });
  const whole = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'evalsaga run',
    description: 'Generated by `npm run docs` from src/config/schema.',
    type: 'object',
    properties: {
      defaults: {
        description: "Hydra's defaults list: the presets that this file is laid over.",
        type: 'array',
        items: { type: ['string', 'object'] },
        examples: [[{ execution: 'lepton' }, { deployment: 'vllm' }, '_self_']],
      },
      ...(sectionSchema(others, { inList: false })['properties'] as Json),
      deployment: { description, ...rest, properties: { ...(properties as Json), type: types } },
    },
    additionalProperties: false,
    allOf: deploymentTypes.map(ofType),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

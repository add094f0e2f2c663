/** The JSON Schema for editors. It is looser than the product's own checks: a value may come from an interpolation or a preset. */
import { documentationOf } from '../../src/config/schema/accepts';
import type { Accepts, Schema } from '../../src/config/schema/accepts';
import { deploymentShape, deploymentTypes, rootShape } from './outline';
import type { Shape } from './outline';

type Json = Readonly<Record<string, unknown>>;

/** `${…}` anywhere in a text, or `???`. */
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

/** A text that is neither of the expected form nor an interpolation does not match. */
const orLater = (pattern: string): string => `(?:${pattern})|${later}`;

interface Place {
  /** Within a list no preset can fill in what is left out. */
  readonly inList: boolean;
}

function valueSchema(accepts: Accepts, place: Place): Json {
  switch (accepts.kind) {
    case 'text':
      return {
        type: ['string', 'number', 'boolean'],
        ...(accepts.pattern === undefined
          ? accepts.empty === true
            ? {}
            : { minLength: 1 }
          : { pattern: orLater(accepts.pattern.source) }),
      };
    case 'integer':
      return {
        type: ['integer', 'string'],
        minimum: accepts.min,
        ...(accepts.max === undefined ? {} : { maximum: accepts.max }),
        pattern: later,
      };
    case 'decimal':
      return {
        type: ['number', 'string'],
        [accepts.above === true ? 'exclusiveMinimum' : 'minimum']: accepts.min,
        ...(accepts.max === undefined ? {} : { maximum: accepts.max }),
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
    case 'anything':
      return {};
    case 'mapping':
      return { type: ['object', 'null', 'string'], pattern: later };
    case 'none':
      return { type: ['object', 'array', 'null'], maxProperties: 0, maxItems: 0 };
    case 'variables':
      return {
        type: ['object', 'null', 'string'],
        pattern: later,
        additionalProperties: variable(accepts.needsPrefix),
      };
    case 'token':
      return {
        anyOf: [{ type: 'string', pattern: orLater('^host:') }, reference, { type: 'object', required: ['value'] }],
      };
    case 'nullable':
      return nullable(valueSchema(documentationOf(accepts.inner).accepts, place));
    case 'list':
      return {
        type: ['array', 'null', 'string'],
        pattern: later,
        items: valueSchema(documentationOf(accepts.item).accepts, { inList: true }),
      };
    case 'record':
      return {
        type: ['object', 'null', 'string'],
        pattern: later,
        additionalProperties: valueSchema(documentationOf(accepts.value).accepts, place),
      };
    case 'section':
      return sectionSchema(accepts.shape, place);
  }
}

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

/** Nothing takes its place when it is left out. */
export function isRequired(schema: Schema): boolean {
  const { accepts, optional, default: value } = documentationOf(schema);
  const single = ['text', 'integer', 'decimal', 'duration', 'flag', 'choice'].includes(accepts.kind);
  return single && !optional && value === undefined;
}

/** Keys of `deployment` that this type has not are refused once the type is known. */
function ofType(type: string): Json {
  const allowed = Object.keys(deploymentShape(type));
  const chosen = { type: 'object', properties: { deployment: { const: type } }, required: ['deployment'] };
  return {
    if: { type: 'object', properties: { defaults: { type: 'array', contains: chosen } }, required: ['defaults'] },
    then: { properties: { deployment: { propertyNames: { enum: allowed } } } },
  };
}

/** The whole schema, as text. */
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

/** The config reference and the JSON Schema for editors match the schema. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { generated } from '../../../scripts/docs/generated';
import { editorSchema } from '../../../scripts/docs/json-schema';
import { deploymentTypes, keysOf, rootShape } from '../../../scripts/docs/outline';
import { documentationOf } from '../../../src/config/schema/accepts';

const root = path.resolve(__dirname, '../../..');
const examples = readdirSync(path.join(root, 'examples')).filter((name) => name.endsWith('.yaml'));
const validate = new Ajv({ allErrors: true, strictTypes: false }).compile(JSON.parse(editorSchema()));

/** Returns what an editor would underline: paths and keywords. */
function complaintsOf(yaml: string): string[] {
  validate(parse(yaml));
  return (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
}

const config = (deployment: string, rest = ''): string =>
  `defaults: [execution: lepton, deployment: ${deployment}, _self_]\n${rest}`;

test.each(deploymentTypes)('every key with deployment `%s` has a description', (type) => {
  const keys = [...keysOf(rootShape(type))];
  expect(keys.length).toBeGreaterThan(100);
  expect(keys.filter(({ schema }) => documentationOf(schema).description === undefined)).toEqual([]);
});

test.each(generated().map(({ file, text }) => [file, text]))('%s is what `npm run docs` writes', (file, text) => {
  expect(readFileSync(path.join(root, file), 'utf8')).toBe(text);
});

test.each(examples)('examples/%s names the JSON Schema that is shipped, and satisfies it', (name) => {
  const text = readFileSync(path.join(root, 'examples', name), 'utf8');
  const named = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1] ?? '';
  expect(path.join('examples', named)).toBe('docs/evalsaga.schema.json');
  const shipped = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { files: string[] };
  expect(shipped.files).toEqual(expect.arrayContaining(['docs', 'examples']));
  expect(complaintsOf(text)).toEqual([]);
});

test('an editor underlines unknown keys, wrong values, and keys of another deployment type', () => {
  expect(complaintsOf(config('vllm', 'execution: {outputdir: x}'))).toEqual(['/execution additionalProperties']);
  expect(complaintsOf(config('vllm', 'deployment: {port: 99999}'))).toEqual(['/deployment/port maximum']);
  expect(complaintsOf(config('vllm', 'execution: {max_run_time: soon}'))).toEqual(['/execution/max_run_time pattern']);
  expect(complaintsOf(config('vllm', 'evaluation: {tasks: [{container: x}]}'))).toEqual([
    '/evaluation/tasks/0 required',
  ]);
  expect(complaintsOf(config('vllm', 'deployment: {extra_args: x}'))).toEqual([]);
  expect(complaintsOf(config('nim', 'deployment: {extra_args: x}'))).toContain('/deployment propertyNames');
});

test('an interpolation or `???` may stand for any value', () => {
  for (const value of ['???', '"${oc.env:X}"'])
    for (const key of [
      `execution: ${value}`,
      `execution: {keep_storage: ${value}, max_run_time: ${value}, start_policy: ${value}, skip_results: ${value}}`,
      `deployment: {type: ${value}, port: ${value}, image: ${value}, lepton_config: {api_token: ${value}}}`,
      `evaluation: {env_vars: {A: ${value}}, tasks: ${value}}`,
    ])
      expect({ key, complaints: complaintsOf(config('vllm', key)) }).toEqual({ key, complaints: [] });
});

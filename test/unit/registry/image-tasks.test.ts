/** The tasks of an image, from a registry of our own on loopback. */
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { ls } from '../../../src/cli/commands/ls';
import type { CommandContext } from '../../../src/cli/command';
import { dockerLogin } from '../../../src/registry/docker-login';
import { readFramework } from '../../../src/registry/framework-file';
import { imageTasks } from '../../../src/registry/image-tasks';
import { baseOf, readImageName } from '../../../src/registry/image-name';

const framework = `framework: {name: my_suite, pkg_name: my_suite}
defaults:
  command: "export A=1 && run --key \${JUDGE_API_KEY} $A"
  config: {supported_endpoint_types: [chat], params: {temperature: 0.0, extra: {judge: {api_key: OTHER_KEY}}}}
  target: {api_endpoint: {stream: false}}
evaluations:
  - {name: one, description: "First. ", defaults: {config: {type: one, params: {max_new_tokens: 8, temperature: null}}}}
  - {name: two, defaults: {config: {type: two, supported_endpoint_types: [completions], required_capabilities: [logprobs]}}}
  - {name: hidden, internal: true, defaults: {config: {type: hidden}}}
`;

function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, text]) => {
    const header = Buffer.alloc(512);
    const content = Buffer.from(text);
    header.write(name, 0);
    header.write(content.length.toString(8).padStart(11, '0'), 124);
    header.write('0', 156);
    header.write('ustar\0', 257);
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const digestOf = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

const list = gzipSync(tarOf({ 'opt/metadata/my_suite/framework.yml': framework, 'opt/other/framework.yml': 'x: 1' }));
const base = gzipSync(tarOf({ 'etc/os-release': 'NAME=x' }));
const layer = (content: Buffer, size = content.length) => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digestOf(content),
  size,
});
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const manifest = json({ schemaVersion: 2, layers: [layer(base, 4_000_000_000), layer(list)] });
const index = json({
  schemaVersion: 2,
  manifests: [
    { digest: 'sha256:0', platform: { os: 'linux', architecture: 'arm64' } },
    { digest: digestOf(manifest), platform: { os: 'linux', architecture: 'amd64' } },
  ],
});

let server: Server;
let registry: string;
let folder: string;
let asked: string[] = [];

const contents: Readonly<Record<string, Buffer>> = {
  '/v2/team/suite/manifests/1': index,
  [`/v2/team/suite/manifests/${digestOf(manifest)}`]: manifest,
  [`/v2/team/suite/blobs/${digestOf(list)}`]: list,
  '/v2/team/plain/manifests/latest': json({ layers: [layer(base)] }),
  [`/v2/team/plain/blobs/${digestOf(base)}`]: base,
  '/v2/team/wrong/manifests/latest': json({ layers: [{ ...layer(list), digest: digestOf(base) }] }),
  [`/v2/team/wrong/blobs/${digestOf(base)}`]: list,
};

const basic = (login: string): string => `Basic ${Buffer.from(login).toString('base64')}`;

function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', `http://${registry}`);
  asked.push(url.pathname);
  if (url.pathname === '/token') {
    const isKnown = request.headers.authorization === basic('someone:pass:word');
    response.writeHead(isKnown ? 200 : 401).end(JSON.stringify(isKnown ? { token: 'granted' } : {}));
  } else if (url.pathname.includes('/broken/')) response.writeHead(500).end();
  else if (request.headers.authorization !== 'Bearer granted')
    response
      .writeHead(401, {
        'www-authenticate': `Bearer realm="http://${registry}/token",service="s",scope="repository:x:pull"`,
      })
      .end();
  else {
    const content = contents[url.pathname];
    response.writeHead(content === undefined ? 404 : 200).end(content);
  }
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-registry-'));
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const auth = Buffer.from('someone:pass:word').toString('base64');
  await writeFile(
    path.join(folder, 'config.json'),
    JSON.stringify({ auths: { [`http://${registry}/v1/`]: { auth } } }),
  );
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => (asked = []));

const tasksOf = (repository: string, env: Record<string, string> = { DOCKER_CONFIG: folder }) =>
  imageTasks(`${registry}/team/${repository}`, { env });

test('are read from the small layer that has them, with the credentials of docker login', async () => {
  expect(await tasksOf('suite:1')).toEqual([
    {
      name: 'one',
      harness: 'my_suite',
      endpoints: ['chat'],
      params: { temperature: 0, max_new_tokens: 8, extra: { judge: { api_key: 'OTHER_KEY' } } },
      stream: false,
      variables: ['JUDGE_API_KEY', 'OTHER_KEY'],
      description: 'First.',
    },
    expect.objectContaining({ name: 'two', endpoints: ['completions'], capabilities: ['logprobs'] }),
  ]);
  // The base layer is never asked for, however large it is.
  expect(asked.filter((each) => each.includes('/blobs/'))).toEqual([`/v2/team/suite/blobs/${digestOf(list)}`]);
});

test.each([
  ['suite:2', 'has no image team/suite with the tag or digest 2'],
  ['plain', 'has no list of tasks'],
  ['wrong', 'sent other content'],
  ['broken', 'HTTP 500'],
])('of %s: %s', async (repository, message) => {
  await expect(tasksOf(repository)).rejects.toThrow(message);
});

test('without credentials the message says how to log in', async () => {
  await expect(tasksOf('suite:1', { DOCKER_CONFIG: '/nowhere' })).rejects.toThrow(`docker login ${registry}`);
});

test('a registry that is not there is named, and is no fault of the request', async () => {
  const gone = imageTasks('127.0.0.1:9/a/b:1', { env: {} });
  await expect(gone).rejects.toThrow("The registry 127.0.0.1:9 can't be reached");
  await expect(gone).rejects.toMatchObject({ name: 'RegistryUnavailable' });
});

test.each(['suite', 'a/b', 'https://reg.example/a/b', 'reg.example/A b'])(
  '%s is no name with a registry',
  async (name) => {
    await expect(imageTasks(name, { env: {} })).rejects.toThrow('registry/repository:tag');
  },
);

test('names of images', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  expect(readImageName('reg.example/a/b')).toEqual({ registry: 'reg.example', repository: 'a/b', reference: 'latest' });
  expect(readImageName(`host:5000/a:1@${digest}`)).toEqual({
    registry: 'host:5000',
    repository: 'a',
    reference: digest,
  });
  const schemes = ['localhost:5000/a', '[::1]:5000/a', 'reg.example/a'].map((name) => {
    const read = readImageName(name);
    return read === undefined ? undefined : baseOf(read);
  });
  expect(schemes).toEqual(['http://localhost:5000', 'http://[::1]:5000', 'https://reg.example']);
});

test('a credential helper is asked', async () => {
  const own = await mkdtemp(path.join(tmpdir(), 'evalsaga-helper-'));
  const helper = path.join(own, 'docker-credential-mine');
  await writeFile(
    helper,
    '#!/bin/sh\nread host\necho "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"for $host\\"}"\n',
  );
  await chmod(helper, 0o755);
  await writeFile(
    path.join(own, 'config.json'),
    JSON.stringify({ credHelpers: { 'reg.example': 'mine', 'b.example': '../x' } }),
  );
  const env = { DOCKER_CONFIG: own, PATH: `${own}:${process.env['PATH'] ?? ''}` };
  expect(await dockerLogin('reg.example', env)).toEqual({ kind: 'identity', token: 'for reg.example' });
  expect(await dockerLogin('b.example', env)).toBeUndefined();
  await rm(own, { recursive: true, force: true });
});

test.each(['', 'a: [', '- 1', 'framework: {name: x}'])('%j is no list', (text) => {
  expect(readFramework(text)).toBeUndefined();
});

describe('`ls --from`', () => {
  const listed = async (args: readonly string[], image: string, isJson = false) => {
    const answers: unknown[] = [];
    const output = {
      json: (value: unknown) => answers.push(value),
      answer: (text: string) => answers.push(text),
      note: (text: string) => answers.push(text),
    };
    const context = { env: { DOCKER_CONFIG: folder }, output } as unknown as CommandContext;
    await ls({ arguments: args, options: { from: image, json: isJson } }, context);
    return answers;
  };

  test('lists tasks that the catalogue lacks, and says how to write one', async () => {
    const [table, note] = await listed(['tasks'], `${registry}/team/suite:1`);
    expect(table).toContain('my_suite');
    expect(note).toContain(`In a config: - {name: my_suite.one, container: ${registry}/team/suite:1}. `);
    expect(note).toContain('NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1');
    const [json] = await listed(['tasks', 'tw*'], `${registry}/team/suite:1`, true);
    expect(json).toEqual([expect.objectContaining({ name: 'two', image: `${registry}/team/suite:1` })]);
    const [details] = await listed(['task', 'My_suite.one'], `${registry}/team/suite:1`);
    expect(details).toContain('task: my_suite.one');
    const [, other] = await listed(['task', 'two'], `${registry}/team/suite:1`);
    expect(other).toContain('endpoint_type: completions}');
  });

  test('without a match, and of runs', async () => {
    await expect(listed(['task', 'three'], `${registry}/team/suite:1`)).rejects.toThrow(
      'lists no task that fits "three"',
    );
    await expect(listed(['runs'], 'x')).rejects.toThrow('ls tasks --from IMAGE');
  });
});

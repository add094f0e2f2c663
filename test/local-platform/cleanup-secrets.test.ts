import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createLeptonClient } from '../../src/lepton/client';
import { cleanUp } from '../../src/cleanup/cleanup';
import { canariesIn, filesBelow } from '../support/canaries';
import { setFaults } from '../support/command';
import { eventually, testPlatform, type TestPlatform } from './test-platform';

/**
 * A cleanup on a host that knows nothing of the run: what must not be said is in the specs of the run's own
 * resources.
 */

const invocation = '0123456789abcdef';
const folder = `/shared/${invocation}`;
const canaries = {
  HF_TOKEN: 'hf_CANARYhub0123456789abcdefghijkl',
  LICENSE: 'CANARY-license-0123456789',
  PROXY: 'http://CANARYuser:CANARY-proxy-pass@127.0.0.1:9/',
  EVALSAGA_URL_SECRET_1: 'CANARYme:CANARY-url-pass',
};
const apiToken = 'CANARY:endpoint/key+with=signs&more-0123';
const platformToken = 'CANARY-workspace-token-0123456789';
const all = [...Object.values(canaries), 'CANARY-proxy-pass', apiToken, platformToken];
/** The response of a gateway that quotes the request. */
const quoting = { code: 'Refused', message: `cannot do that while it has ${all.join(' and ')}` };
const printed = `${all.join('\n')}\nmodel org/model-1.5B, acc 0.5\n`;

let platform: TestPlatform;
beforeAll(async () => {
  const job = { states: [['Running', '20ms'], ['Completed']], log: printed, files: { 'requests.jsonl': printed } };
  const endpoint = { states: [['Starting', '20ms'], ['Ready']], log: printed };
  platform = await testPlatform({
    plan: JSON.stringify({ endpoints: { default: endpoint }, jobs: { default: job } }),
    token: platformToken,
  });
});
afterAll(() => platform.dispose());

test('messages, report, logs and results hold none of its secrets, whatever the platform quotes', async () => {
  const client = createLeptonClient(platform);
  const marks = { EVALSAGA_INVOCATION: invocation, EVALSAGA_TASK: '0', EVALSAGA_ORIGIN: 'home:other' };
  const variables = { ...canaries, MODEL: 'org/model-1.5B', ...marks, EVALSAGA_OUTPUT_DIR: '/workspace/0-x' };
  const envs = Object.entries(variables).map(([name, value]) => ({ name, value }));
  const mounts = [{ path: folder, from: 'node-nfs:fs1', mount_path: '/workspace' }];
  const container = { image: 'eval:1', command: ['true'] };
  const shape = { resource_shape: 'cpu.small', min_replicas: 1 };
  const tokens = { api_tokens: [{ value: apiToken }] };
  await client.createDeployment({
    name: 'x-0-01234567',
    spec: { container, envs, ...tokens, resource_requirement: shape },
  });
  const { metadata } = await client.createJob({
    name: 'eval-x-0-01234567',
    spec: { container, resource_shape: 'cpu.small', envs, mounts },
  });
  await eventually(async () => (await client.getJob(metadata.id ?? ''))?.status?.state === 'Completed');

  const outputDir = path.join(platform.root, 'came-home');
  const said: string[] = [];
  const clean = (): Promise<unknown> =>
    cleanUp({
      platform: client,
      invocation,
      plan: undefined,
      origin: 'home:this',
      outputDir,
      home: { runs: path.join(platform.root, 'runs'), swept: path.join(platform.root, 'swept') },
      secrets: [platformToken],
      discard: false,
      report: (line) => said.push(line),
    }).then(
      (report) => said.push(JSON.stringify(report)),
      (error: unknown) => said.push(String(error), (error as Error).stack ?? ''),
    );
  const refuse = (on: string): object => ({ on, times: 'inf', respond: 403, body: quoting });
  const faults = [
    ['GET /storage'],
    ['HEAD /storage/**'],
    ['DELETE /deployments/*', 'DELETE /jobs/*', 'GET /jobs/*/replicas/**', 'GET /storage/**/results.yml'],
  ];
  for (const refused of faults) {
    await setFaults(platform, refused.map(refuse));
    await clean();
  }
  expect(said.join('\n').split('cannot do that while it has *** and ***').length).toBeGreaterThan(5);
  await setFaults(platform, []);
  await clean();
  expect(canariesIn(said.join('\n'), all)).toEqual([]);
  expect(await platform.sim('/inventory')).toMatchObject({ deployments: [], jobs: [], storage: [] });

  const files = await filesBelow(outputDir);
  for (const { file, text } of files) expect({ file, found: canariesIn(text, all) }).toEqual({ file, found: [] });
  expect(files.filter(({ file }) => file.endsWith('.log'))).toHaveLength(2);
  const requests = await readFile(path.join(outputDir, '0-x', 'requests.jsonl'), 'utf8');
  expect(requests).toContain('model org/model-1.5B, acc 0.5');
});

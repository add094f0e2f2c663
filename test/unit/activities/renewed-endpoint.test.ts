import { MockActivityEnvironment } from '@temporalio/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { ActivityDependencies } from '../../../src/activities/dependencies';
import { createEndpointActivities } from '../../../src/activities/endpoints';
import { release } from '../../../src/activities/release';
import { indexText, invocationVariable, taskVariable } from '../../../src/contract/identity';
import type { NamedEndpoint } from '../../../src/contract/inputs/endpoint';
import type { Platform } from '../../../src/lepton/platforms';
import type { Deployment } from '../../../src/lepton/types';
import { withTime } from '../../support/activity-times';

/** An endpoint is made anew under its name after an early release, and its task ends before the listing shows it. */

const owner = { invocation: '0123456789abcdef', index: 0 };
const endpoint: NamedEndpoint = { ...owner, platform: { kind: 'local', workspace: 'w' }, name: 'vllm-0' };
const made = (createdAt: number): Deployment => ({
  metadata: { name: endpoint.name, created_at: createdAt },
  spec: {
    envs: [
      { name: invocationVariable, value: owner.invocation },
      { name: taskVariable, value: indexText(owner.index) },
    ],
  },
  status: { state: 'Ready' },
});

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-renewed-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('its removal asks for it by name, and deletes it', async () => {
  const there = new Map<string, Deployment>([[endpoint.name, made(1)]]);
  let listed: readonly Deployment[] = [...there.values()];
  const deleted: (number | undefined)[] = [];
  const platform = {
    pace: 'local',
    client: {
      access: { url: 'u' },
      deleteDeployment: (name: string) => {
        deleted.push(there.get(name)?.metadata.created_at);
        return Promise.resolve(there.delete(name));
      },
      deploymentReplicas: () => Promise.resolve([{ id: 'replica' }]),
      deploymentLog: () => Readable.from([Buffer.from('ready')]),
      logLines: () => Promise.resolve([]),
      logStreams: () => Promise.resolve([]),
    },
    lookups: {
      onChange: () => () => undefined,
      listedDeployment: () => Promise.resolve(listed[0]),
      deployment: (name: string) => Promise.resolve(there.get(name)),
    },
  } as unknown as Platform;
  const logTarget = path.join(folder, 'endpoint.log');
  const signal = new AbortController().signal;
  await release({ platform, endpoint, logTarget, logFallback: logTarget, secrets: [], signal, isEarly: true });
  expect(deleted).toEqual([1]);

  listed = [];
  there.set(endpoint.name, made(2));
  const { removeEndpoint } = createEndpointActivities({
    platform: () => Promise.resolve(platform),
  } as unknown as ActivityDependencies);
  await new MockActivityEnvironment(withTime).run(removeEndpoint, endpoint);
  expect(deleted).toEqual([1, 2]);
  expect(there.size).toBe(0);
});

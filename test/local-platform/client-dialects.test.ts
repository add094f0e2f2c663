import type { ServerResponse } from 'node:http';
import { createLeptonClient } from '../../src/lepton/client';
import { sendJson, startServer, type SeenRequest, type TestServer } from '../support/http-server';

/** When which of the service's two dialects is used, and that both mean the same. */

let server: TestServer;
let answer: (request: SeenRequest, response: ServerResponse) => void;

beforeEach(async () => {
  server = await startServer((request, response) => answer(request, response));
});
afterEach(() => server.close());

const connect = () => createLeptonClient({ url: `${server.url}/w`, workspace: 'w', token: 'tok-abcdef' });

const features = (enabled: unknown) => ({ workspace_name: 'w', features: { enable_new_deployment_api: enabled } });

describe('the newer dialect', () => {
  test('a classic spec is translated to the dialect and back', async () => {
    const endpoint = {
      metadata: { name: 'ep1', created_at: 5, lepton_metadata: { owner: 'me' } },
      spec: {
        components: [
          { name: 'side', image: 'other' },
          {
            name: 'default',
            frontend: true,
            image: 'img:1',
            resource_shape: 'gpu.h100',
            min_replicas: 1,
            envs: [{ name: 'A', value: '1' }],
          },
        ],
        api_tokens: [{ value: '***' }],
      },
      status: { state: 'NotReady', external_url: 'https://w-ep1.example', auto_scaler_status: { desired_replicas: 1 } },
    };
    answer = ({ url, method }, response) => {
      if (url === '/w/workspace') return sendJson(response, features(true));
      if (method === 'POST') return sendJson(response, endpoint, 201);
      return sendJson(response, url === '/w/endpoints' ? [endpoint] : endpoint);
    };
    const client = connect();
    await client.createDeployment({
      name: 'ep1',
      spec: {
        container: { image: 'img:1', command: ['/bin/bash', '-c', 'x'] },
        resource_requirement: {
          resource_shape: 'gpu.h100',
          affinity: { allowed_dedicated_node_groups: ['ng'] },
          shared_memory_size: 64,
        },
        auto_scaler: { scale_down: { no_traffic_timeout: 3600 } },
        auth_config: {},
        load_balance_config: { maglev: {} },
        envs: [{ name: 'A', value: '1' }],
        mounts: [{ path: '/p', from: 'node-nfs:fs1', mount_path: '/data' }],
        api_tokens: [{ value_from: { token_name_ref: 'KEY' } }],
        image_pull_secrets: ['ips'],
        queue_config: { priority_class: 'mid-4000' },
        health: {},
      },
    });
    const posted = server.seen.find(({ method }) => method === 'POST');
    expect(posted?.url).toBe('/w/endpoints');
    expect(JSON.parse(posted?.body ?? '')).toEqual({
      metadata: { name: 'ep1' },
      spec: {
        components: [
          {
            name: 'default',
            image: 'img:1',
            command: ['/bin/bash', '-c', 'x'],
            ports: [{ container_port: 40000 }],
            resource_shape: 'gpu.h100',
            affinity: { allowed_dedicated_node_groups: ['ng'] },
            shared_memory_size: 64,
            min_replicas: 1,
            autoscaling: { scale_down: { no_traffic_timeout: 3600 } },
            envs: [{ name: 'A', value: '1' }],
            mounts: [{ path: '/p', from: 'node-nfs:fs1', mount_path: '/data' }],
            queue_config: { priority_class: 'mid-4000' },
            health: {},
          },
        ],
        access_config: {},
        load_balancing: { maglev: {} },
        api_tokens: [{ value_from: { token_name_ref: 'KEY' } }],
        image_pull_secrets: ['ips'],
      },
    });
    const [listed] = await client.listDeployments();
    const single = await client.getDeployment('ep1');
    expect(single).toEqual(listed);
    expect(single).toMatchObject({
      metadata: { id: 'ep1', name: 'ep1', created_at: 5 },
      spec: { container: { image: 'img:1' }, envs: [{ name: 'A', value: '1' }], api_tokens: [{ value: '***' }] },
      status: {
        state: 'Not Ready',
        phase: 'Not Ready',
        ready_replicas: 0,
        endpoint: { external_endpoint: 'https://w-ep1.example' },
      },
    });
    await client.deleteDeployment('ep1');
    expect(await client.deploymentIssues('ep1')).toEqual([]);
    expect(server.seen.filter(({ url }) => url === '/w/workspace')).toHaveLength(1);
  });

  test('keys that it lacks are refused before anything is sent', async () => {
    answer = (_, response) => sendJson(response, features(true));
    const create = connect().createDeployment({
      name: 'a',
      spec: { resource_requirement: { cpu: 2, accelerator_num: 1 } },
    });
    await expect(create).rejects.toThrow(
      'no resource_requirement.cpu, resource_requirement.accelerator_num: use resource_shape',
    );
    expect(server.seen.some(({ method }) => method === 'POST')).toBe(false);
  });

  test('Stopping, Stopped and deleted endpoints read as in the classic dialect', async () => {
    const at = (state: string, deleted?: number) => ({
      metadata: { name: 'a', deleted_at: deleted },
      spec: {},
      status: { state },
    });
    answer = ({ url }, response) =>
      sendJson(response, url === '/w/workspace' ? features(true) : [at('Stopped'), at('Ready', 7), at('Brand New')]);
    const states = (await connect().listDeployments()).map(({ status }) => [status?.state, status?.phase]);
    expect(states).toEqual([
      ['Not Ready', 'Stopped'],
      ['Deleting', 'Deleting'],
      ['Brand New', 'Brand New'],
    ]);
  });

  test.each([false, 'true', 1, undefined])('the flag %p means classic', async (flag) => {
    answer = ({ url }, response) => sendJson(response, url === '/w/workspace' ? features(flag) : []);
    await connect().listDeployments();
    expect(server.seen.at(-1)?.url).toBe('/w/deployments');
  });

  test.each([503, 404])(
    'a workspace that answers %i is an outage and read again; calls about jobs do not read it',
    async (status) => {
      let isAway = true;
      answer = ({ url }, response) =>
        url === '/w/workspace' && isAway
          ? sendJson(response, [], status)
          : sendJson(response, url === '/w/workspace' ? features(true) : []);
      const client = connect();
      const kind = status === 503 ? 'server' : 'invalid_response';
      await Promise.all(
        [client.listDeployments(), client.getDeployment('a'), client.deleteDeployment('a')].map((asked) =>
          expect(asked).rejects.toMatchObject({ kind }),
        ),
      );
      expect(server.seen.map(({ url }) => url)).toEqual(Array<string>(3).fill('/w/workspace'));
      await client.listJobs();
      expect(server.seen).toHaveLength(4);
      isAway = false;
      await client.listDeployments();
      expect(server.seen.slice(4).map(({ url }) => url)).toEqual(['/w/workspace', '/w/endpoints']);
    },
  );
});

import { createHmac } from 'node:crypto';
import { madeTokenOf } from '../contract/endpoint-token';
import { dataSourcesSchema, namedSchema, nodeGroupSchema, nodeSchema, secretSchema, shapeSchema, workspaceSchema } from './answers';
import { deploymentCalls, dialectReader } from './deployment-calls';
import { createHttp, type Fetch } from './http';
import { jobCalls } from './job-calls';
import type { RetryOptions } from './retry';
import { createRequests, segment } from './requests';
import { ServerClock } from './server-clock';
import { storageCalls } from './storage-calls';
import { timedLogCalls } from './timed-logs';
import type { LeptonClient, PlatformAccess } from './types';

/** Statuses with which servers answer a route that they do not have. */
const noSuchRoute: readonly number[] = [404, 405, 501];

export interface LeptonClientOptions {
  /** Default: undici's, with the environment's proxies and keep-alive connections. */
  readonly fetch?: Fetch | undefined;
  /** Timeout of a request in milliseconds, unless the call sets one; default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Retries idempotent calls that fail with a transient error. Default: no retries. */
  readonly retry?: RetryOptions | undefined;
  /** Called for each item of a listing that was left out because it does not match the API. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/**
 * Creates a client of one workspace, on Lepton or the local platform. Each call is one request, except that listing jobs takes
 * one per page, and that the first call about endpoints also reads `GET /workspace` to learn the dialect. Nothing is retried
 * unless `retry` is set. Calls reject with `LeptonError`, or with the reason of their abort signal.
 */
export function createLeptonClient(access: PlatformAccess, options: LeptonClientOptions = {}): LeptonClient {
  const clock = new ServerClock();
  const http = createHttp(access, { ...options, clock });
  const requests = createRequests(http, access, options.onNote ?? (() => undefined));
  const dialect = dialectReader(requests);
  const { url, workspace, origin, source } = access;
  return {
    access: { url, workspace, origin, source },
    clock,
    getWorkspace: (call) => requests.one({ method: 'GET', path: '/workspace', options: call }, workspaceSchema),
    ...deploymentCalls(requests, dialect),
    ...jobCalls(requests),
    async listNodeGroups(call) {
      return requests.list({ method: 'GET', path: '/dedicated-node-groups', options: call }, nodeGroupSchema);
    },
    async listNodeIds(nodeGroupId, call) {
      const path = `/dedicated-node-groups/${segment(nodeGroupId)}/nodes`;
      const nodes = await requests.list({ method: 'GET', path, options: call }, nodeSchema);
      return nodes.map((node) => node.metadata.id);
    },
    async listReservationIds(nodeGroupId, call) {
      const path = `/dedicated-node-groups/${segment(nodeGroupId)}/reservations`;
      const reservations = await requests.list({ method: 'GET', path, options: call }, namedSchema);
      return reservations.flatMap(({ metadata: { id } }) => id ?? []);
    },
    async listDataSourceNames(nodeGroupId, call) {
      const request = {
        method: 'GET',
        path: `/dedicated-node-groups/${segment(nodeGroupId)}/datasources`,
        options: call,
      } as const;
      const answer = await requests.one(request, dataSourcesSchema);
      return (answer.items ?? []).map(({ spec }) => spec.name);
    },
    async listSecretNames(call) {
      const secrets = await requests.list({ method: 'GET', path: '/usersecrets', options: call }, secretSchema);
      return secrets.map((secret) => secret.name);
    },
    async createSecret({ name, value }, call) {
      const json = [{ name, value, visibility: 'private' }];
      await requests.send({ method: 'POST', path: '/usersecrets', json, options: call });
    },
    async deleteSecret(name, call) {
      const path = `/usersecrets/${segment(name)}`;
      await requests.send({ method: 'DELETE', path, acceptedStatuses: [404], options: call });
    },
    madeToken: (name) =>
      madeTokenOf(createHmac('sha512', access.token).update(`endpoint token ${name}`).digest('base64')),
    async listShapeNames(call) {
      const groups = call?.nodeGroups ?? [];
      const query = groups.length === 0 ? {} : { query: { node_groups: groups.join(',') } };
      const request = {
        method: 'GET',
        path: '/shapes',
        ...query,
        acceptedStatuses: noSuchRoute,
        options: call,
      } as const;
      const answer = await requests.json(request);
      if (answer === undefined) return [];
      const names = requests.items({ method: 'GET', path: '/shapes' }, answer, shapeSchema);
      return names.filter((name) => name !== '');
    },
    ...timedLogCalls(requests, dialect),
    storage: storageCalls(requests),
  };
}

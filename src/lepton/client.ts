import { nodeGroupSchema, nodeSchema, secretSchema, shapeSchema, workspaceSchema } from './answers';
import { deploymentCalls, dialectReader } from './deployment-calls';
import { createHttp, type Fetch } from './http';
import { jobCalls } from './job-calls';
import type { RetryOptions } from './retry';
import { createRequests, segment } from './requests';
import { ServerClock } from './server-clock';
import { storageCalls } from './storage-calls';
import { timedLogCalls } from './timed-logs';
import type { LeptonClient, PlatformAccess } from './types';

/** How a server without a route answers. */
const noSuchRoute: readonly number[] = [404, 405, 501];

export interface LeptonClientOptions {
  /** Default: undici's, with the proxies of the environment and kept-alive connections. */
  readonly fetch?: Fetch | undefined;
  /** Per request, milliseconds, where the call does not say; default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** Has calls that are safe to repeat made again while the platform fails in passing. Default: nothing is repeated here. */
  readonly retry?: RetryOptions | undefined;
  /** Told about items of listings that were left out because they are not what the API promises. Default: nobody. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/**
 * A client of one workspace, Lepton's or the local platform's. Every call is one request (listings of jobs: one per page;
 * the first call about endpoints also reads `GET /workspace`, which says which dialect to speak). Nothing is retried here but by `patience`.
 * Calls reject with `LeptonError`, or with the reason of their own abort signal.
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
    async listSecretNames(call) {
      const secrets = await requests.list({ method: 'GET', path: '/usersecrets', options: call }, secretSchema);
      return secrets.map((secret) => secret.name);
    },
    async listShapeNames(call) {
      const groups = call?.nodeGroups ?? [];
      const query = groups.length === 0 ? {} : { query: { node_groups: groups.join(',') } };
      const question = {
        method: 'GET',
        path: '/shapes',
        ...query,
        acceptedStatuses: noSuchRoute,
        options: call,
      } as const;
      const answer = await requests.json(question);
      if (answer === undefined) return [];
      const names = requests.items({ method: 'GET', path: '/shapes' }, answer, shapeSchema);
      return names.filter((name) => name !== '');
    },
    ...timedLogCalls(requests, dialect),
    storage: storageCalls(requests),
  };
}

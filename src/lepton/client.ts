import { workspaceSchema } from './answers';
import { changeCalls } from './changes';
import { deploymentCalls, dialectReader } from './deployment-calls';
import { createHttp, type Fetch } from './http';
import { jobCalls } from './job-calls';
import type { Limiter } from './limiter';
import type { RetryOptions } from './retry';
import { nodeGroupCalls } from './node-group-calls';
import { createRequests } from './requests';
import { secretCalls } from './secret-calls';
import { ServerClock } from './server-clock';
import { storageCalls } from './storage-calls';
import { timedLogCalls } from './timed-logs';
import type { LeptonClient, PlatformAccess } from './types';

export interface LeptonClientOptions {
  /** Default: undici's, with the environment's proxies and keep-alive connections. */
  readonly fetch?: Fetch | undefined;
  /** Timeout of a request in milliseconds, unless the call sets one; default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Retries idempotent calls that fail with a transient error. Default: no retries. */
  readonly retry?: RetryOptions | undefined;
  /** Limits the requests of all clients that share it. Default: no limit. */
  readonly limiter?: Limiter | undefined;
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
  const settings = { ...options, clock };
  const http = createHttp(access, settings);
  const requests = createRequests(http, access, options.onNote ?? (() => undefined));
  const dialect = dialectReader(requests);
  const { url, workspace, origin, source } = access;
  return {
    access: { url, workspace, origin, source },
    clock,
    getWorkspace: (call) => requests.one({ method: 'GET', path: '/workspace', options: call }, workspaceSchema),
    ...deploymentCalls(requests, dialect),
    ...jobCalls(requests),
    ...nodeGroupCalls(requests),
    ...secretCalls(requests, access),
    ...timedLogCalls(requests, dialect),
    ...changeCalls(access, settings),
    storage: storageCalls(requests),
  };
}

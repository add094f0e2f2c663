import type { z } from 'zod';
import { deploymentSchema, eventSchema, readinessSchema, replicaSchema, workspaceSchema } from './answers';
import { endpointAsDeploymentSchema, toEndpointBody } from './dialect';
import { LeptonError } from './lepton-error';
import { logQuery, nameless, segment, type Requests } from './requests';
import type { Deployment, LeptonClient } from './types';

type DeploymentCalls = Pick<
  LeptonClient,
  | 'listDeployments'
  | 'getDeployment'
  | 'createDeployment'
  | 'deleteDeployment'
  | 'deploymentIssues'
  | 'deploymentEvents'
  | 'deploymentReplicas'
  | 'deploymentLog'
>;

/** Creates the calls about endpoints, in the dialect of the workspace. */
export function deploymentCalls(requests: Requests, dialect: ReadDialect): DeploymentCalls {
  const listDeployments: DeploymentCalls['listDeployments'] = async (options) => {
    const { base, schema } = await dialect();
    return requests.list({ method: 'GET', path: base, isCoreRoute: true, options }, schema);
  };

  const inDeployment = async (name: string) => `${(await dialect()).base}/${segment(name)}`;

  return {
    listDeployments,
    async getDeployment(name, options) {
      const { schema } = await dialect();
      const call = { method: 'GET', path: await inDeployment(name), options } as const;
      const answer = await requests.lookup(call);
      if (answer.kind === 'found') return requests.check(call, answer.value, schema);
      if (options?.isUnlisted) return undefined;
      return (await listDeployments(options)).find((deployment) => deployment.metadata.name === name);
    },
    async createDeployment({ name, spec }, options) {
      if (name === '') throw nameless('POST /deployments');
      const { base, body } = await dialect();
      await requests.send({ method: 'POST', path: base, json: body({ name, spec }), options });
    },
    async deleteDeployment(name, options) {
      const call = { method: 'DELETE', path: await inDeployment(name), acceptedStatuses: [404], options } as const;
      return (await requests.send(call)).status !== 404;
    },
    async deploymentIssues(name, options) {
      if ((await dialect()).kind === 'endpoints') return []; // this dialect has no such route
      const call = {
        method: 'GET',
        path: `${await inDeployment(name)}/readiness`,
        acceptedStatuses: [404],
        options,
      } as const;
      const answer = await requests.json(call);
      if (answer === undefined || answer === null) return [];
      const byReplica = requests.check(call, answer, readinessSchema);
      return Object.values(byReplica)
        .flatMap((issues) => issues ?? [])
        .filter(({ reason }) => reason !== 'Ready');
    },
    async deploymentEvents(name, options) {
      return requests.list({ method: 'GET', path: `${await inDeployment(name)}/events`, options }, eventSchema);
    },
    async deploymentReplicas(name, options) {
      return requests.list({ method: 'GET', path: `${await inDeployment(name)}/replicas`, options }, replicaSchema);
    },
    async *deploymentLog(name, replica, options) {
      const path = `${await inDeployment(name)}/replicas/${segment(replica)}/log`;
      yield* requests.stream({ method: 'GET', path, query: logQuery(options), options }, { idleTimeoutMs: null });
    },
  };
}

export interface Dialect {
  readonly kind: 'deployments' | 'endpoints';
  readonly base: string;
  readonly schema: z.ZodType<Deployment>;
  readonly body: (deployment: { name: string; spec: Record<string, unknown> }) => unknown;
}

const deploymentsDialect: Dialect = {
  kind: 'deployments',
  base: '/deployments',
  schema: deploymentSchema,
  body: ({ name, spec }) => ({ metadata: { id: name, name }, spec }),
};

const endpointsDialect: Dialect = {
  kind: 'endpoints',
  base: '/endpoints',
  schema: endpointAsDeploymentSchema,
  body: toEndpointBody,
};

/** The values of the service's own client. */
const dialectRetries = { count: 3, timeoutMs: 5_000, pauseMs: 250 } as const;

export type ReadDialect = () => Promise<Dialect>;

/**
 * Returns a function that reads the workspace's dialect once; concurrent callers share the request. If it fails, so does every
 * call about endpoints, since in the wrong dialect every resource would look absent.
 */
export function dialectReader(requests: Requests): ReadDialect {
  let current: Promise<Dialect> | undefined;
  return () => (current ??= read());

  async function read(): Promise<Dialect> {
    try {
      return (await readFlag(requests)) ? endpointsDialect : deploymentsDialect;
    } catch (error) {
      current = undefined;
      throw error;
    }
  }
}

async function readFlag(requests: Requests): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const options = { timeoutMs: dialectRetries.timeoutMs };
      const call = { method: 'GET', path: '/workspace', isCoreRoute: true, options } as const;
      const workspace = await requests.one(call, workspaceSchema);
      return workspace.features?.enable_new_deployment_api === true;
    } catch (error) {
      if (attempt === dialectRetries.count || !(error instanceof LeptonError) || !isTransient(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, dialectRetries.pauseMs * attempt));
  }
}

const isTransient = ({ kind }: LeptonError): boolean =>
  kind === 'network' || kind === 'server' || kind === 'rate_limited' || kind === 'invalid_response';

import type { z } from 'zod';
import { deploymentSchema, eventSchema, readinessSchema, replicaSchema, workspaceSchema } from './answers';
import { endpointAsDeploymentSchema, toEndpointBody } from './dialect';
import { LeptonError } from './errors';
import { logQuery, segment, type Requests } from './requests';
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

/** Endpoints, in whichever of its two wire forms the workspace speaks. */
export function deploymentCalls(requests: Requests, dialect: AskDialect): DeploymentCalls {
  const listDeployments: DeploymentCalls['listDeployments'] = async (options) => {
    const { base, schema } = await dialect();
    return requests.list({ method: 'GET', path: base, options }, schema);
  };

  const inDeployment = async (name: string) => `${(await dialect()).base}/${segment(name)}`;

  return {
    listDeployments,
    async getDeployment(name, options) {
      const { schema } = await dialect();
      const call = { method: 'GET', path: await inDeployment(name), options } as const;
      const answer = await requests.lookUp(call);
      switch (answer.kind) {
        case 'found':
          return requests.check(call, answer.value, schema);
        case 'absent':
          return undefined;
        case 'doubtful':
          return (await listDeployments(options)).find((deployment) => deployment.metadata.name === name);
      }
    },
    async createDeployment({ name, spec }, options) {
      const { base, body } = await dialect();
      await requests.send({ method: 'POST', path: base, json: body({ name, spec }), options });
    },
    async deleteDeployment(name, options) {
      await requests.send({ method: 'DELETE', path: await inDeployment(name), alsoFine: [404], options });
    },
    async deploymentIssues(name, options) {
      if ((await dialect()).kind === 'endpoints') return []; // the newer dialect has no such route
      const call = { method: 'GET', path: `${await inDeployment(name)}/readiness`, alsoFine: [404], options } as const;
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
      yield* requests.stream({ method: 'GET', path, query: logQuery(options), options }, { quietMs: null });
    },
  };
}

export interface Dialect {
  readonly kind: 'deployments' | 'endpoints';
  readonly base: string;
  readonly schema: z.ZodType<Deployment>;
  readonly body: (deployment: { name: string; spec: Record<string, unknown> }) => unknown;
}

const classic: Dialect = {
  kind: 'deployments',
  base: '/deployments',
  schema: deploymentSchema,
  body: ({ name, spec }) => ({ metadata: { id: name, name }, spec }),
};

const newer: Dialect = {
  kind: 'endpoints',
  base: '/endpoints',
  schema: endpointAsDeploymentSchema,
  body: toEndpointBody,
};

/** As in the service's own client: this many tries, this long each, these pauses between; then the classic dialect. */
const dialectTries = { count: 3, timeoutMs: 5_000, pauseMs: 250 } as const;

/** A dialect taken for want of an answer is asked for again after this time: a worker lives long. */
const unsureForMs = 60_000;

export type AskDialect = () => Promise<Dialect>;

/** The workspace's dialect, read once. Callers that come at the same time share one reading. */
export function dialectOf(requests: Requests): AskDialect {
  let current: Promise<Dialect> | undefined;
  return () => (current ??= read());

  async function read(): Promise<Dialect> {
    const answer = await readFlag(requests);
    if (answer === undefined) setTimeout(() => (current = undefined), unsureForMs).unref();
    return answer === true ? newer : classic;
  }
}

/** `undefined`: the workspace did not say. */
async function readFlag(requests: Requests): Promise<boolean | undefined> {
  for (let attempt = 1; attempt <= dialectTries.count; attempt += 1) {
    try {
      const options = { timeoutMs: dialectTries.timeoutMs };
      const workspace = await requests.one({ method: 'GET', path: '/workspace', options }, workspaceSchema);
      return workspace.features?.enable_new_deployment_api === true;
    } catch (error) {
      if (!(error instanceof LeptonError) || !isPassing(error)) return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, dialectTries.pauseMs * attempt));
  }
  return undefined;
}

const isPassing = (error: LeptonError): boolean => ['network', 'server', 'rate_limited'].includes(error.kind);

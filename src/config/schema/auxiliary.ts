/** `auxiliary_deployments`: further models that tasks ask, such as a judge. Each is a deployment, or an endpoint that exists. */
import type { z } from 'zod';
import { accepting, documentationOf } from './accepts';
import type { Schema } from './accepts';
import { deploymentSchema, deploymentTypes } from './deployment';
import type { DedicatedDeployment, DeploymentType } from './deployment';
import { choice, integer, mapping, orNull, section, text } from './fields';
import { Leaf, refuse } from './leaf';
import type { RawMap } from './leaf';

/** Prefixes of variables that others set. */
const reserved = ['SLURM', 'PRIMARY', 'MODEL', 'SERVER', 'EVALSAGA', 'LEPTON', 'NEMO_EVALUATOR'];

const prefix = orNull(
  text({ pattern: /^[A-Z][A-Z0-9_]*$/, expected: 'capital letters, digits and `_`' }).refine(
    (value) => !reserved.includes(value),
    `others use this prefix: ${reserved.join(', ')} are taken`,
  ),
).describe(
  'Beginning of the variables that the jobs get: `<PREFIX>_CHAT_URL` and so on, `<PREFIX>_MODEL_ID`, `<PREFIX>_API_KEY`; null: the name in capitals.',
);

/** Keys that a deployed one has besides those of `deployment`. */
const instances = {
  num_instances: integer({ min: 1 })
    .default(1)
    .describe('As in NeMo Evaluator Launcher: the number of replicas, where `lepton_config` sets none.'),
  num_nodes: integer({ min: 1 })
    .default(1)
    .describe('As in NeMo Evaluator Launcher: must be `num_instances`, since a replica runs on one node.'),
};

const existing = {
  type: choice('none').describe('What serves the model; `none`: an endpoint that exists, at `url`.'),
  url: orNull(text()).describe(
    'Base or request URL of an existing endpoint (`type: none` only); null: there is none, and nothing refers to it.',
  ),
  model_id: orNull(text()).describe(
    'As `deployment.model_id`; with `type: none`, the name under which the endpoint serves the model.',
  ),
  api_key_name: orNull(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'the name of a variable' })).describe(
    'Variable of the job that holds the key of the existing endpoint; if nothing sets it, this host does.',
  ),
  env_prefix: prefix,
};

const existingSchema = section(existing, {
  image: 'nothing is deployed with `none`',
  lepton_config: 'nothing is deployed with `none`',
  served_model_name: 'with `none`, set `model_id`',
});
const ownKeys = section({ env_prefix: prefix, ...instances });

export interface DeployedAuxiliary {
  readonly kind: 'deployed';
  readonly deployment: DedicatedDeployment;
  readonly own: z.output<typeof ownKeys>;
}
export interface ExistingAuxiliary {
  readonly kind: 'existing';
  readonly own: z.output<typeof existingSchema>;
}
export type AuxiliaryConfig = DeployedAuxiliary | ExistingAuxiliary;

const shapeOf = (schema: Schema): Readonly<Record<string, Schema>> => {
  const { accepts } = documentationOf(schema);
  return accepts.kind === 'section' ? accepts.shape : {};
};

const deployedTypes = deploymentTypes.filter((type) => type !== 'none');

/** The keys of all types: which are allowed depends on the type. */
const deploymentKeys = Object.fromEntries(
  deployedTypes
    .toReversed()
    .flatMap((type) => Object.entries(shapeOf(deploymentSchema(type))))
    .filter(([key]) => key !== 'sharing'),
);

const allKeys = {
  ...deploymentKeys,
  ...instances,
  ...existing,
  type: choice(...deploymentTypes).describe(
    'What serves the model, as `deployment.type`; `none`: an endpoint that exists, at `url`.',
  ),
} as Readonly<Record<string, Schema>>;

/** One auxiliary deployment. Its keys are those of a deployment of its type, with a few of its own. */
export const auxiliaryDeployment = accepting(
  { kind: 'section', shape: allKeys },
  mapping().transform((raw, context): AuxiliaryConfig => {
    const issuesOf = (result: { error?: { issues: readonly object[] } }): void => {
      for (const issue of result.error?.issues ?? []) context.issues.push({ ...issue, input: raw } as never);
    };
    const type = typeOf(raw);
    if (type === undefined) {
      issuesOf(section({ type: choice(...deploymentTypes) }).safeParse({ type: raw['type'] }));
      return { kind: 'existing', own: emptyExisting };
    }
    if (type === 'none') {
      const parsed = existingSchema.safeParse(raw);
      issuesOf(parsed);
      return { kind: 'existing', own: parsed.data ?? emptyExisting };
    }
    const isOwn = (key: string): boolean => key === 'env_prefix' || Object.hasOwn(instances, key);
    const own = ownKeys.safeParse(only(raw, isOwn));
    const deployment = deploymentSchema(type).safeParse(only(raw, (key) => !isOwn(key)));
    if (raw['sharing'] !== undefined)
      refuse(context, 'an auxiliary deployment is always shared', 'remove it', ['sharing']);
    issuesOf(own);
    issuesOf(deployment);
    if (!own.success || !deployment.success) return { kind: 'existing', own: emptyExisting };
    return { kind: 'deployed', own: own.data, deployment: deployment.data as DedicatedDeployment };
  }),
);

const emptyExisting: z.output<typeof existingSchema> = {
  type: 'none',
  url: null,
  model_id: null,
  api_key_name: null,
  env_prefix: null,
};

const only = (raw: RawMap, isKept: (key: string) => boolean): RawMap =>
  Object.fromEntries(Object.entries(raw).filter(([key]) => isKept(key)));

function typeOf(raw: RawMap): DeploymentType | undefined {
  const type = raw['type'];
  if (type === undefined || type === null) return 'none';
  return deploymentTypes.find((known) => type instanceof Leaf && type.value === known);
}

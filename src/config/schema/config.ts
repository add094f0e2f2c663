/** The whole configuration. */
import type { z } from 'zod';
import { deploymentSchema } from './deployment';
import type { Deployment, DeploymentType } from './deployment';
import { evaluation, target } from './evaluation';
import { execution } from './execution';
import { none, orNull, section, text } from './fields';
import { envMap } from './secrets';

const topLevelAdvice = {
  auxiliary_deployments:
    'Lepton runs start no auxiliary deployments: serve the judge or user model elsewhere and name its URL in `nemo_evaluator_config.config.params.extra`',
  export: 'results are files in `execution.output_dir`: leave this out, and export them from there',
  tasks: 'the tasks go to `evaluation.tasks`',
  hydra: "only the config itself is composed here; Hydra's own settings have no effect",
  defaults: 'a `defaults` list belongs at the top of the file',
};

const build = (type: DeploymentType) =>
  section(
    {
      /** A label of the run. */
      name: orNull(text()),
      execution,
      deployment: deploymentSchema(type),
      target,
      evaluation,
      /** Variables of every job. */
      env_vars: envMap('refused'),
      /** Upstream's own default file has it, empty. */
      auxiliary_deployments: none(topLevelAdvice.auxiliary_deployments),
    },
    topLevelAdvice,
  );

type Built = ReturnType<typeof build>;
const built = new Map<DeploymentType, Built>();

/** The schema for a deployment type; made once. */
export function configSchema(type: DeploymentType): Built {
  const known = built.get(type);
  if (known !== undefined) return known;
  const schema = build(type);
  built.set(type, schema);
  return schema;
}

export type ResolvedConfig = Omit<z.output<Built>, 'deployment'> & { deployment: Deployment };

/** The whole configuration. */
import type { z } from 'zod';
import { deploymentSchema } from './deployment';
import type { Deployment, DeploymentType } from './deployment';
import { evaluation, target } from './evaluation';
import { execution } from './execution';
import { none, orNull, section, text } from './fields';
import { envMap } from './variables';

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
      name: orNull(text()).describe('A label for the run.'),
      execution: execution.describe('Where and how the run is carried out.'),
      deployment: deploymentSchema(type).describe('What serves the model. Which keys there are depends on `type`.'),
      target: target.describe(
        'The endpoint that is evaluated. With a deployment its URL is filled in; with `deployment: none` you give it.',
      ),
      evaluation: evaluation.describe('What is evaluated.'),
      env_vars: envMap('refused').describe('Environment variables of every job. A text needs its prefix.'),
      auxiliary_deployments: none(topLevelAdvice.auxiliary_deployments).describe(
        'Accepted only when empty, as in the default file of NeMo Evaluator Launcher.',
      ),
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

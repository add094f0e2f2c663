/** The whole configuration. */
import type { z } from 'zod';
import { deploymentSchema } from './deployment';
import type { Deployment, DeploymentType } from './deployment';
import { checkedEvaluatorConfig, evaluation, target } from './evaluation';
import { execution } from './execution';
import { auxiliaryDeployment } from './auxiliary';
import { orNull, recordOf, section, text } from './fields';
import { exportSettings } from './export';
import { envMap } from './variables';
import { modelsSchema } from './variants';

const topLevelAdvice = {
  tasks: 'tasks belong in `evaluation.tasks`',
  hydra: "Hydra's own settings have no effect: only the config itself is composed",
  defaults: 'a `defaults` list belongs at the top of the file',
};

const build = (type: DeploymentType) =>
  section(
    {
      name: orNull(text()).describe('A label for the run: its name, if `execution.run_name` gives none.'),
      execution: execution.describe('Where and how the run is carried out.'),
      deployment: deploymentSchema(type).describe('What serves the model. Which keys there are depends on `type`.'),
      target: target.describe(
        'The endpoint to evaluate. With `deployment: none` you set its URL; otherwise it is filled in.',
      ),
      evaluation: evaluation.describe('What is evaluated.'),
      models: modelsSchema(checkedEvaluatorConfig).describe(
        'Several models in one run, by name: each is evaluated on all tasks, with endpoints, results and a column of its own. `{}`: the one of `deployment`. Run some of them with `--model`.',
      ),
      env_vars: envMap('refused').describe('Environment variables of every job. A text needs its prefix.'),
      export: exportSettings.describe(
        'Settings of exports, by target: for those of `execution.auto_export`, and for `evalsaga export`.',
      ),
      auxiliary_deployments: recordOf(auxiliaryDeployment).describe(
        'Further models that tasks ask, by name: a judge, a user model, a reranker. Below `evaluation`, `auxiliary_deployments.NAME.chat_url` (or another key of its `endpoints` with `_url`, or `base_url`), `.model_id` and `.api_key_name` stand for what it has when it is Ready. Each is deployed once for all tasks that refer to it.',
      ),
    },
    topLevelAdvice,
  );

type Built = ReturnType<typeof build>;
const built = new Map<DeploymentType, Built>();

/** Returns the schema for a deployment type. */
export function configSchema(type: DeploymentType): Built {
  const known = built.get(type);
  if (known !== undefined) return known;
  const schema = build(type);
  built.set(type, schema);
  return schema;
}

export type ResolvedConfig = Omit<z.output<Built>, 'deployment'> & { deployment: Deployment };

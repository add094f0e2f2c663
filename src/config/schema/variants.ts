/** Parts of a config that are merged over others: the models of a run, and what differs in the deployment of a task. */
import { choice, recordOf, section, text, orNull } from './fields';
import { deploymentKeys, deploymentTypes } from './deployment';
import { overriding } from './overriding';
import { envMap } from './variables';

const otherModel = 'all tasks evaluate the same models: list others in `models`';
const sameAccess = 'all endpoints of a model are called in the same way: set it in `deployment.lepton_config`';

/** `evaluation.tasks[].deployment`. */
export const taskDeployment = overriding(deploymentKeys, {
  type: 'a task cannot have another kind of server: list what you want to compare in `models`',
  checkpoint_path: otherModel,
  hf_model_handle: otherModel,
  model_id: otherModel,
  served_model_name: otherModel,
  'lepton_config.endpoint_name': 'names of endpoints have their task in them already',
  'lepton_config.api_tokens': sameAccess,
  'lepton_config.api_token': sameAccess,
  'lepton_config.allow_unauthenticated_access': sameAccess,
});

/** `models.<name>.target.api_endpoint`. */
const endpointOfModel = section({
  url: orNull(text())
    .optional()
    .describe('Base or request URL of the existing endpoint (`deployment: {type: none}` only).'),
  model_id: orNull(text()).optional().describe('Name under which the model is served.'),
  api_key_name: orNull(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'the name of a variable' }))
    .optional()
    .describe("Name of the variable of the job that holds the endpoint's key."),
});

/** `models`: each is evaluated on all tasks. */
export const modelsSchema = (evaluatorConfig: Parameters<typeof recordOf>[0]) =>
  recordOf(
    section(
      {
        deployment: overriding({
          type: choice(...deploymentTypes).describe(
            "What serves the model, if not the same as the others: the rest then comes from that type's preset instead of `deployment`.",
          ),
          ...deploymentKeys,
        }).describe(
          'Merged over `deployment`, key by key. A model named here replaces all names of one in `deployment`.',
        ),
        target: section({ api_endpoint: endpointOfModel.describe('The endpoint.') }).describe('Merged over `target`.'),
        nemo_evaluator_config: evaluatorConfig.describe(
          "Merged over `evaluation.nemo_evaluator_config`, and under each task's own.",
        ),
        env_vars: envMap('refused').describe(
          "Environment variables of this model's jobs, merged over `evaluation.env_vars`. A text needs its prefix.",
        ),
      },
      {
        hf_model_handle: 'write it below `deployment`',
        checkpoint_path: 'write it below `deployment`',
        served_model_name: 'write it below `deployment`',
        image: 'write it below `deployment`',
        url: 'write it below `target.api_endpoint`',
        tasks: 'every model is evaluated on all of `evaluation.tasks`; run some of them with --model and -t',
      },
    ),
  );

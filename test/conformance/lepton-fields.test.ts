import { execa } from 'execa';
import path from 'node:path';
import { endpointFields, endpointStates, jobFields, jobStates } from '../../scripts/docs/lepton-fields';
import { pythonEnvironment } from './lep';

/** Every field that Lepton's own client can create has a key, or a reason why not; every state that it knows has a meaning. */

jest.setTimeout(300_000);

/** Prints the fields, with those of nested models, and the states, from the client's pydantic types. */
const program = `
import json
from typing import get_args
from pydantic import BaseModel
from leptonai.api.v2.types.deployment import LeptonDeploymentUserSpec, LeptonDeploymentState
from leptonai.api.v2.types.job import LeptonJobUserSpec, LeptonJobState

def models(annotation):
    own = [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    return own + [model for part in get_args(annotation) for model in models(part)]

def fields(model, prefix=''):
    for name, field in model.model_fields.items():
        path = prefix + (field.alias or name)
        yield path
        for inner in models(field.annotation):
            yield from fields(inner, path + '.')

print(json.dumps({
    'endpoints': sorted(set(fields(LeptonDeploymentUserSpec))),
    'jobs': sorted(set(fields(LeptonJobUserSpec))),
    'endpointStates': [state.value for state in LeptonDeploymentState],
    'jobStates': [state.value for state in LeptonJobState],
}))
`;

test('leptonai 0.47.1: no field and no state is forgotten', async () => {
  const environment = await pythonEnvironment('lep-0.47.1', ['leptonai==0.47.1']);
  const { stdout } = await execa(path.join(environment, 'bin', 'python'), ['-c', program], { timeout: 120_000 });
  const known = JSON.parse(stdout) as Record<'endpoints' | 'jobs' | 'endpointStates' | 'jobStates', string[]>;
  expect(Object.keys(endpointFields).sort()).toEqual(known.endpoints);
  expect(Object.keys(jobFields).sort()).toEqual(known.jobs);
  expect(Object.keys(endpointStates)).toEqual(expect.arrayContaining(known.endpointStates));
  expect(Object.keys(jobStates)).toEqual(expect.arrayContaining(known.jobStates));
});

import { tokenizersFor } from '../../../src/local-platform/runtimes/process/job-plan';

const one = { url: 'http://127.0.0.1:1111', model: 'one', weights: '/w/one.gguf' };
const two = { url: 'http://127.0.0.1:1112', model: 'two', weights: '/w/two.gguf' };
const served = [one, two];

const specWith = (url: string) => ({ envs: [{ name: 'EVALSAGA_MODEL_URL', value: url }] });

describe('a job gets the tokenizers of the endpoint that it uses, and no others', () => {
  test.each([
    ['its own endpoint', specWith(`${two.url}/v1/completions`), { served: [two], builtIn: false }],
    ['a chat endpoint, which takes text', specWith(`${two.url}/v1/chat/completions`), { served: [], builtIn: false }],
    ["somebody else's endpoint", specWith('http://10.0.0.1/v1/completions'), { served: [], builtIn: true }],
    [
      'what a command names',
      { container: { command: ['nemo-evaluator', 'run_eval', '--model_url', `${one.url}/v1/completions`] } },
      { served: [one], builtIn: false },
    ],
    ['nobody can tell what', { container: { command: ['nemo-evaluator'] } }, { served, builtIn: true }],
  ])('%s', (_case, spec, wanted) => {
    expect(tokenizersFor({ spec, served })).toEqual(wanted);
  });
});

/** One rule for names of secrets, used for the config, the command line, the environment and URLs. */
import { commandLineOf } from '../../../src/cli/command-line';
import { isSecretParameter, judgeName } from '../../../src/secrets/names';
import { backgroundEnv } from '../../../src/stack/background-env';

const sure = [
  'HF_TOKEN',
  'DB_PASSWORD',
  'PASSWORD',
  'MY_PWD',
  'MY_PASS',
  'GITHUB_PAT',
  'AWS_SECRET_ACCESS_KEY',
  'JUDGE_KEY',
  'PGPASSWORD',
  'api_key',
  'apiKey',
  'X-Api-Key',
  'Proxy-Authorization',
  'cookie',
  'passphrase',
  'authorization',
  'access_key',
  'api_tokens',
  'hf_token',
  'client-secret',
];

const none = [
  'max_new_tokens',
  'max_tokens',
  'tokenizer',
  'tokenizer_backend',
  'tokenized_requests',
  'TOKENIZERS_PARALLELISM',
  'start_reasoning_token',
  'end_reasoning_token',
  'pad_token_id',
  'HF_HUB_DISABLE_IMPLICIT_TOKEN',
  'use_auth_token',
  'api_key_name',
  'HF_TOKEN_PATH',
  'GOOGLE_APPLICATION_CREDENTIALS',
  'PWD',
  'keyboard',
  'MONKEY',
  'public_key',
  'num_fewshot',
  'bypass',
];

test.each(sure)('%s is certainly a secret', (name) => expect(judgeName(name)).toBe('sure'));
test.each(['sort_key', 'KEY', 'doc_key', 'first_pass', 'TOKEN_2'])('%s may be a secret', (name) =>
  expect(judgeName(name)).toBe('perhaps'),
);
test.each(none)('%s is not a secret', (name) => expect(judgeName(name)).toBe('no'));

test.each(sure)('%s in a URL is a secret too', (name) => expect(isSecretParameter(name)).toBe(true));

test.each(sure.filter((name) => /^\w+$/.test(name)))(
  '%s is masked in the recorded command, unless its value is a reference',
  (name) => {
    for (const value of ['abc', 'lit:hunter2', '12345', '"two words"'])
      expect(commandLineOf(['start', '-o', `evaluation.env_vars.${name}=${value}`])).toContain(`.${name}=***`);
    expect(commandLineOf(['start', '-o', `+evaluation={env_vars: {${name}: lit:hunter2}}`])).not.toContain('hunter2');
    expect(commandLineOf([`--override=a.${name}=abc`])).toContain(`a.${name}=***`);
    expect(commandLineOf(['-o', `a.${name}=host:NAME`])).toContain(`a.${name}=host:NAME`);
  },
);

test.each(none.filter((name) => /^\w+$/.test(name)))('%s is not masked in the recorded command', (name) => {
  expect(commandLineOf(['start', '-o', `evaluation.params.${name}=12`])).toContain(`${name}=12`);
  expect(commandLineOf(['start', '-o', `evaluation.params={${name}: 12}`])).toContain(`${name}: 12`);
});

test('background processes get no variable with the name of a secret', () => {
  const variables = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 'x']));
  expect(Object.keys(backgroundEnv({ env: variables(sure) }))).toEqual(['NO_COLOR']);
  const kept = ['HF_TOKEN_PATH', 'TOKENIZERS_PARALLELISM', 'PWD', 'MONKEY'];
  expect(Object.keys(backgroundEnv({ env: variables(kept) })).sort()).toEqual([...kept, 'NO_COLOR'].sort());
});

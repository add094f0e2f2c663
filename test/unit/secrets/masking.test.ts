import fc from 'fast-check';
import { maskSecrets, secretsOfBody } from '../../../src/secrets/masking';
import { holds } from '../../support/fuzz';

test('finds literal values of variables and tokens at any depth, but neither our own marks nor references', () => {
  const body = {
    metadata: { name: 'a' },
    spec: {
      envs: [
        { name: 'HF_TOKEN', value: 'hf_secret' },
        { name: 'EVALSAGA_INVOCATION', value: '0123456789abcdef' },
        { name: 'KEY', value_from: { secret_name_ref: 'MYKEY' } },
      ],
      api_tokens: [{ value: 'endpoint-token' }],
      components: [{ envs: [{ name: 'X', value: 'nested' }] }],
      mounts: [{ path: '/p', value: 'not a variable' }],
    },
  };
  expect(secretsOfBody(body).sort()).toEqual(['endpoint-token', 'hf_secret', 'nested']);
});

test('short common values stay readable outside an echoed request body', () => {
  expect(maskSecrets('LIVE: 1 of 21 replicas, mode staging', ['LIVE', '1', 'staging'])).toBe(
    'LIVE: 1 of 21 replicas, mode staging',
  );
  expect(maskSecrets('got {"name":"N","value":"1"}', ['1'])).toBe('got {"name":"N","value":"***"}');
});

test('passwords in URLs are masked, the URLs stay', () => {
  expect(maskSecrets('no route to https://user:pw@host.example/v1', [])).toBe(
    'no route to https://***@host.example/v1',
  );
  expect(maskSecrets('see http://host/a@b', [])).toBe('see http://host/a@b');
});

test('no encoding of a secret survives', () => {
  holds(
    fc.property(
      fc.string({ minLength: 8, unit: 'grapheme' }).filter((text) => !/\p{Surrogate}/u.test(text)),
      fc.string(),
      (secret, around) => {
        fc.pre(secret.trim().length >= 8 && !around.includes(secret) && !'***'.includes(secret));
        const json = JSON.stringify({ value: secret });
        const text = `${around} ${secret} ${json} ${JSON.stringify(json)} ${encodeURIComponent(secret)}`;
        const masked = maskSecrets(text, [secret]);
        for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) {
          if (!around.includes(form)) expect(masked).not.toContain(form);
        }
      },
    ),
  );
});

test('long hostile texts do not take minutes to mask', () => {
  const begun = performance.now();
  for (const text of ['x'.repeat(65_536), '\\'.repeat(65_536), '"value":"'.repeat(7_000), 'a://'.repeat(16_000)]) {
    maskSecrets(text, ['secret-value']);
  }
  expect(performance.now() - begun).toBeLessThan(20_000);
});

import { madeToken, madeTokenOf, tokenOwnerOf, tokenSecretName } from '../../../src/contract/endpoint-token';
import { ByteMask } from '../../../src/secrets/byte-mask';
import { maskKnown, secretsOfBody } from '../../../src/secrets/masking';
import { createLeptonClient } from '../../../src/lepton/client';

const clientWith = (token: string) => createLeptonClient({ url: 'http://127.0.0.1:9/w', workspace: 'w', token });
const name = tokenSecretName('843b6c12a0b1c2d3', 'vllm-hellaswag-1-843b6c12');
const token = clientWith('workspace-token').madeToken(name);

test('the same for the same credentials and endpoint, another for any other', () => {
  expect(token).toMatch(/^evalsaga_[A-Za-z0-9]{39}$/);
  expect(token).toHaveLength(madeToken.length);
  expect(clientWith('workspace-token').madeToken(name)).toBe(token);
  expect(clientWith('another-token').madeToken(name)).not.toBe(token);
  expect(clientWith('workspace-token').madeToken(`${name}0`)).not.toBe(token);
  expect(() => madeTokenOf('++//++//')).toThrow('too few');
});

test('the name of its secret says whose it is; other secrets are nobody’s', () => {
  const owner = { invocation: '843b6c12a0b1c2d3', endpoint: 'vllm-hellaswag-1-843b6c12', index: 1 };
  expect(tokenOwnerOf(name)).toEqual(owner);
  expect(tokenOwnerOf(tokenSecretName('843b6c12a0b1c2d3', 'judge'))).toMatchObject({ index: undefined });
  for (const other of ['HF_TOKEN', 'evalsaga-mine', 'evalsaga-843b6c12a0b1c2d3', 'x-evalsaga-843b6c12a0b1c2d3-a'])
    expect(tokenOwnerOf(other)).toBeUndefined();
});

describe('is masked by its form, where nobody knows its value', () => {
  const encoded = Buffer.from(token).toString('base64');

  test('in texts, in plain, in base64 and cut', () => {
    expect(maskKnown(`Bearer ${token}.`, [])).toBe('Bearer ***.');
    expect(maskKnown(`{"key":"${encoded}"}`, [])).toBe('{"key":"***"}');
    expect(maskKnown(`key ${token.slice(0, 20)}…`, [])).toBe('key ***…');
    expect(maskKnown('evalsaga_results in evalsaga-843b6c12a0b1c2d3-x', [])).toBe(
      'evalsaga_results in evalsaga-843b6c12a0b1c2d3-x',
    );
  });

  test('in bytes, wherever the chunks are cut; everything else passes', () => {
    const bytes = `evalsaga_x ${token}\n${encoded}\u0000 evalsaga_ ${token.slice(0, 30)}-`;
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const mask = new ByteMask([]);
      const parts = [bytes.slice(0, cut), bytes.slice(cut)].map((part) => mask.push(Buffer.from(part, 'latin1')));
      const text = Buffer.concat([...parts, mask.end()]).toString('latin1');
      expect(text).toBe(`evalsaga_x ***\n***\u0000 evalsaga_ ${token.slice(0, 30)}-`);
    }
  });
});

test('the value of a secret that is stored is masked in what the platform answers', () => {
  expect(secretsOfBody([{ name: 'A', value: 'the-value', visibility: 'private' }])).toEqual(['the-value']);
});

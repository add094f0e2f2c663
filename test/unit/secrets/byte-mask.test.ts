import fc from 'fast-check';
import { ByteMask } from '../../../src/secrets/byte-mask';
import { holds } from '../../support/fuzz';

const text = (secrets: readonly string[], pieces: readonly string[]): string => {
  const mask = new ByteMask(secrets);
  const out = pieces.map((piece) => mask.push(Buffer.from(piece, 'latin1')));
  return Buffer.concat([...out, mask.end()]).toString('latin1');
};

test('a secret is masked wherever the chunks are cut; everything else passes byte for byte', () => {
  const secret = 'token-öäü-0123456789';
  const bytes = Buffer.from(`HF=${secret}\n\u0000\n{"k":"${secret}"} ${secret.slice(0, 9)}\n`).toString('latin1');
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const masked = Buffer.from(text([secret], [bytes.slice(0, cut), bytes.slice(cut)]), 'latin1').toString();
    expect(masked).toBe(`HF=***\n\u0000\n{"k":"***"} ${secret.slice(0, 9)}\n`);
  }
});

test('if one secret contains another, the longer one is masked as a whole', () => {
  expect(text(['abcdefgh', 'abcdefghijkl'], ['abcdefgh', 'ijkl abcdefgh.'])).toBe('*** ***.');
});

test('short common values are not masked', () => {
  expect(text(['LIVE', '1', 'staging'], ['LIVE 1 staging 0.123'])).toBe('LIVE 1 staging 0.123');
});

test('random chunks give the same result as the whole text', () => {
  const pieces = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd') }), { maxLength: 30 });
  const secrets = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 8, maxLength: 10 }), {
    maxLength: 3,
  });
  holds(
    fc.property(pieces, secrets, (parts, hidden) => {
      const whole = text(hidden, [parts.join('')]);
      expect(text(hidden, parts)).toBe(whole);
      for (const secret of hidden) expect(whole).not.toContain(secret);
    }),
  );
});

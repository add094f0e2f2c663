/** Properties of pure functions: YAML writer, names, shell words, scalars. */
import fc from 'fast-check';
import { endpointName, jobName, taskSlug } from '../../../src/config/plan/resource-names';
import { shellQuote, shellWords } from '../../../src/support/shell';
import { readYamlMap } from '../../../src/config/yaml/yaml-reader';
import { resolvePlain } from '../../../src/config/yaml/yaml-scalars';
import { writeYaml } from '../../../src/config/yaml/yaml-writer';
import { holds } from '../../support/fuzz';

test('written YAML reads back as the same value', () => {
  const scalar = fc.oneof(
    fc.string({ unit: 'grapheme' }).map((value) => ({ value })),
    fc
      .constantFrom(
        'yes',
        'no',
        '1',
        '0666',
        '12:30',
        '1e5',
        '~',
        '',
        ' a',
        'a: b',
        '- a',
        '#x',
        'a #b',
        '\n',
        'a\nb',
        "'",
        '"',
        '\u2028',
        '\ufeff',
        '???',
        '${a}',
        '=',
        '<<',
        '1_0',
        '.5',
        'null',
      )
      .map((value) => ({ value })),
    fc.boolean().map((value) => ({ value })),
    fc.bigInt().map((value) => ({ value })),
    fc.double().map((value) => ({ value, float: true })),
    fc.constant({ value: null }),
  );
  holds(
    fc.property(
      fc.dictionary(
        fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
        scalar,
      ),
      (record) => {
        const entries = Object.entries(record).map(
          ([key, node]) => [key, { kind: 'scalar' as const, ...node }] as const,
        );
        const read = readYamlMap(writeYaml({ kind: 'map', entries }), { file: 'f' });
        const found = Object.fromEntries(
          [...read.entries].map(([key, node]) => [key, node.kind === 'scalar' ? plain(node.value) : node.kind]),
        );
        expect(found).toEqual(Object.fromEntries(entries.map(([key, { value }]) => [key, plain(value)])));
      },
    ),
    { numRuns: 2000 },
  );
});

const plain = (value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}` : typeof value === 'number' && Number.isInteger(value) ? `${value}` : value;

test("names keep the platform's limits, and differ if tasks do", () => {
  const allowed = /^[a-z]([a-z0-9-]*[a-z0-9])?$/;
  holds(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'grapheme' }),
      fc.nat(1499),
      (prefix, name, index) => {
        const parts = { slug: taskSlug(name), index, invocation: '843b6c12a0b1c2d3' };
        for (const made of [endpointName(prefix, parts), jobName(parts)]) {
          expect(made).toMatch(allowed);
          expect(made.length).toBeLessThanOrEqual(36);
          expect(made).toContain(`-${index}-843b6c12`);
        }
        expect(parts.slug.length).toBeLessThanOrEqual(14);
      },
    ),
  );
  expect(taskSlug('lm-evaluation-harness.MMLU_Pro_Chat_Very_Long_Name')).not.toBe(
    taskSlug('lm-evaluation-harness.MMLU_Pro_Chat_Very_Long_Nome'),
  );
});

test('words are split as in bash', () => {
  holds(
    fc.property(fc.array(fc.string()), (words) => expect(shellWords(words.map(shellQuote).join(' '))).toEqual(words)),
  );
});

test('plain scalars have one value', () => {
  holds(fc.property(fc.bigInt(), (value) => expect(String(resolvePlain(String(value)).value)).toBe(String(value))));
});

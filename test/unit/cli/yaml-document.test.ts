import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { yamlDocument } from '../../../src/cli/render/yaml-document';
import { holds } from '../../support/fuzz';

const usual = [
  'a',
  'true',
  '1e3',
  '0x1',
  '~',
  '#x',
  'a: b',
  '- x',
  '',
  'x #y',
  '"q"',
  "it's",
  '/a/b',
  'two\nlines',
  'end\n',
];
const scalar = fc.oneof(fc.constantFrom(...usual), fc.integer(), fc.boolean(), fc.constant(null));

const treesOf = (leaf: fc.Arbitrary<unknown>, key: fc.Arbitrary<string>): fc.Arbitrary<unknown> =>
  fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).tree;

test('usual documents are written as the library writes them', () => {
  const documents = fc.dictionary(fc.constantFrom('a', 'b_c', 'D'), treesOf(scalar, fc.constantFrom('a', 'b-c', '1')), {
    noNullPrototype: true,
  });
  holds(
    fc.property(documents, (value) =>
      expect(yamlDocument(value)).toBe(stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })),
    ),
  );
});

test('any document is read as it was', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc
      .array(fc.constantFrom('', ' ', 'line', '  deep', 'end ', '# no', '\t', '---', 'a: b', '\u2028', '\r'), {
        minLength: 2,
      })
      .map((lines) => lines.join('\n')),
  );
  const leaf = fc.oneof(
    text,
    scalar,
    fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
  );
  holds(fc.property(treesOf(leaf, text), (value) => expect(parse(yamlDocument(value))).toEqual(value)));
});

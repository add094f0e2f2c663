/** Generated inputs for the comparison with Hydra. */
import fc from 'fast-check';

const digits = fc.constantFrom(
  '0',
  '1',
  '7',
  '8',
  '9',
  '10',
  '010',
  '0x1f',
  '12',
  '1_0',
  '5.',
  '.5',
  '1.50',
  '1e5',
  '1E-5',
  '-3',
  '+4',
  '-.5',
  '12:30',
  '1:99',
  'inf',
  'nan',
  '.inf',
  '8421999999999995999',
);
const words = fc.constantFrom(
  'a',
  'foo-bar',
  '_x',
  'true',
  'False',
  'null',
  'NULL',
  'yes',
  'off',
  'None',
  'x1',
  'org/model',
  'http://h:80/v1',
  'me@x.y',
  '50%',
  'a*b',
  '$x',
  'a|b',
  'a?b',
  '/p/q.r',
  '~',
  '-',
  '+',
  '\\\\',
  '\\,',
  '\\ ',
  "\\'",
);
const quoted = fc.constantFrom(
  "'a b'",
  '"x, y"',
  "'it\\'s'",
  '"\\""',
  "'#'",
  "''",
  '""',
  "'[1'",
  "'{a'",
  "'é'",
  "'\\\\'",
  '"a\\\\"',
  "'a\\b'",
  "'${b.x}'",
  "'\\${x}'",
  '"1"',
  "'true'",
);
const broken = fc.constantFrom(
  'a,b',
  'a=b',
  '#',
  'é',
  "'open",
  '"open',
  '[',
  ']',
  '}',
  '{a',
  '{"a": 1}',
  '(',
  'f(x)',
  'choice(1,2)',
  ',',
  '[,]',
  '{a:}',
  "a'b'",
  ' ',
  'x y',
  ' lead',
  'a : b',
  '${b.x}',
  '${b.x}-${d}',
  '${nope}',
  '${',
  '${b.${d}}',
);

const value = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    digits,
    words,
    quoted,
    fc.tuple(words, digits).map(([a, b]) => a + b),
    fc.tuple(digits, words).map(([a, b]) => a + b),
    fc.tuple(words, words).map(([a, b]) => `${a} ${b}`),
    fc.array(tie('any'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
    fc
      .array(fc.tuple(fc.constantFrom('k', 'l', 'm n', '1', 'x-y'), tie('any')), { maxLength: 3 })
      .map((items) => `{${items.map(([key, item]) => `${key}: ${item}`).join(', ')}}`),
  ),
})).any;

const existing = fc.constantFrom('a', 'b', 'b.x', 'b.y', 'b.y.0', 'b.y.1.z', 'c', 'd', 'm');
const absent = fc.constantFrom('n', 'b.n', 'b.y.5', 'b.y.1.n', 'c.n', 'n.o.p', 'a.n', 'b.20x', 'b[0]', 'b.y.x');

export const overrideLists = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.tuple(existing, value).map(([key, text]) => `${key}=${text}`) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom('+', '++'), fc.oneof(existing, absent), value)
        .map((parts) => `${parts[0]}${parts[1]}=${parts[2]}`),
    },
    { weight: 1, arbitrary: fc.tuple(existing, broken).map(([key, text]) => `${key}=${text}`) },
    { weight: 1, arbitrary: fc.tuple(absent, value).map(([key, text]) => `${key}=${text}`) },
    { weight: 1, arbitrary: fc.constantFrom('~a', '~b.x', '~c', '~m', '~n', '~b', '~a=1', '~a=2', '~d=text', '~b.y') },
  ),
  { minLength: 1, maxLength: 3 },
);

/** Plain scalars near the limits of YAML 1.1's types. */
export const yamlScalars = fc
  .oneof(
    fc.stringMatching(/^[-+]?[0-9_]{1,6}$/),
    fc.stringMatching(/^[-+]?[0-9_]{0,3}\.[0-9_]{0,3}$/),
    fc.stringMatching(/^[-+]?[0-9_]{1,3}(\.[0-9_]{0,2})?[eE][-+]?[0-9]{1,2}$/),
    fc.stringMatching(/^[-+]?[0-9]{1,2}(:[0-9]{1,2}){1,2}(\.[0-9]{0,2})?$/),
    fc.stringMatching(/^[-+]?0[xbo]?[0-9a-fA-F_]{1,4}$/),
    fc.stringMatching(/^[-+]?\.?(inf|Inf|INF|nan|NaN|NAN)$/),
    fc.constantFrom(
      'yes',
      'Yes',
      'yEs',
      'y',
      'N',
      'on',
      'ON',
      'oFF',
      'TRUE',
      'tRUE',
      'null',
      'NULL',
      'nULL',
      '~',
      '~x',
      'None',
      '2026-11-25',
      "'1'",
      '"1"',
      '1 2',
      'a b',
      'a,b',
      'x:y',
      'a/b:c',
    ),
  )
  .filter((text) => !/^[-_:]*$/.test(text) && text !== '-');

const reference = fc.constantFrom(
  '${a}',
  '${b.x}',
  '${b.y[0]}',
  '${b.y.1.z}',
  '${.z}',
  '${..a}',
  '${oc.env:SET}',
  '${oc.env:EMPTY,x}',
  '${oc.env:NOPE,d/e:f}',
  '${oc.env:NOPE,null}',
  '${oc.env:NOPE,1.50}',
  '${oc.select:nope,7}',
  '${oc.select:c,7}',
  '${select_not_null:c,7}',
  '${oc.decode:"1.5"}',
  '${n}',
  '${oc.env:NOPE}',
  '${ b.x }',
  '${oc.env:NOPE,${a}}',
  '${m}',
  '${f}',
  '${t}',
);
const literalText = fc.constantFrom('x', ' - ', '$', '\\', '\\\\', '\\$', '{', '}', '$$', 'é', "'", ',');

/** Without escapes: if the result contains `${`, OmegaConf's resolution in place would interpolate it a second time. */
const text = fc
  .array(fc.oneof(reference, literalText), { minLength: 1, maxLength: 4 })
  .filter((parts) => !/(?:^|[^\\])(?:\\\\)*\\\$\{/.test(parts.join('')));

export const configs = fc.array(text, { minLength: 1, maxLength: 5 }).map((texts) => {
  const entries = texts.map((parts, index) => `  s${index}: ${JSON.stringify(parts.join(''))}\n`);
  return `a: 1\nb:\n  x: text\n  y: [1, {z: 2.50}]\nc: null\nm: ???\nf: 1e-7\nt: true\ns:\n  z: 0\n${entries.join('')}`;
});

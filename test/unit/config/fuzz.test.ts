/** Any config or override gives a config or a `ConfigError`, in bounded time. */
import fc from 'fast-check';
import { ConfigError } from '../../../src/config';
import { GrammarFailure, parseText } from '../../../src/config/hydra/interpolation/parse-interpolation';
import { parseOverride } from '../../../src/config/hydra/overrides/parse-override';
import { OverrideFailure } from '../../../src/config/hydra/overrides/override-failure';
import { against, plan, runnable } from './configs';
import { fuzzFactor, holds } from '../../support/fuzz';

jest.setTimeout(300_000 * fuzzFactor);

const env = {
  A: '1',
  HF_TOKEN: 'nvapi-CANARY0123456789abcdef',
  URL: 'https://me:CANARY-pass@h/v1?sig=CANARYsignature',
};

async function outcome(text: string, overrides: readonly string[]): Promise<'plan' | 'problems'> {
  try {
    const planned = await plan(text, { overrides, env });
    expect(JSON.stringify(planned)).not.toContain('CANARY');
    return 'plan';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    expect(error.message).not.toMatch(/CANARY|\n\s+at .*\.[tj]s:\d+/);
    return 'problems';
  }
}

const fragment = fc.oneof(
  fc.constantFrom(
    'defaults:',
    '- deployment: vllm',
    '- execution: lepton',
    '_self_',
    'deployment:',
    'execution:',
    'evaluation:',
    'tasks:',
    '- name: hellaswag',
    'envs: {HF_TOKEN: host:HF_TOKEN}',
    '${a.b}',
    '${oc.env:A}',
    '${oc.env:A,',
    '${..x}',
    '&a',
    '*a',
    '<<: *a',
    '???',
    '!!int',
    '|',
    '>-',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ': ',
    '- ',
    '\n',
    '\n  ',
    '\n    ',
    '\t',
    '#',
    '---',
    '__proto__:',
    'constructor: 1',
    '${oc.decode:"${oc.env:A}"}',
    '\u0000',
    '\ufeff',
    '🚀',
  ),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);

const documents = fc.oneof(
  fc.array(fragment, { maxLength: 40 }).map((parts) => parts.join('')),
  fc.array(fragment, { maxLength: 8 }).map((parts) => runnable(`  extra_args: ${parts.join('')}\n`)),
  fc.array(fragment, { maxLength: 8 }).map((parts) => `${runnable()}${parts.join('')}`),
  fc.json().map((value) => `${runnable().replace('evaluation:', `name: ${value.replaceAll('\n', ' ')}\nevaluation:`)}`),
);

const keys = fc.oneof(
  fc.constantFrom(
    'deployment.image',
    'deployment.envs',
    'deployment.envs.X',
    'deployment',
    'execution',
    'evaluation.tasks',
    'evaluation.tasks.0',
    'evaluation.tasks.0.name',
    'evaluation.tasks.hellaswag.container',
    'evaluation.tasks.9',
    'execution.output_dir',
    'deployment.lepton_config',
    'env_vars',
    'target.api_endpoint.url',
    '',
    '.',
    'a..b',
    '__proto__',
    '__proto__.x',
    'constructor.prototype.x',
    'a/b',
    'a@b',
    'deployment@x',
  ),
  fc.string({ maxLength: 10 }),
);
const values = fc.oneof(
  fc.constantFrom(
    '1',
    'null',
    '[1,{a: b}]',
    '{a: 1}',
    '"x"',
    "'x",
    'a,b',
    '${deployment.image}',
    '${',
    '\\',
    'int(5)',
    'choice(1,2)',
    '[',
    '{a',
    '[[[[',
    'x y',
    '${oc.env:HF_TOKEN}',
    '${oc.env:URL}',
    'host:URL',
    '???',
    '{name: hellaswag}',
    '[{name: hellaswag}]',
    '${deployment}',
    '${.a}',
    '${execution.output_dir}',
  ),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);
const overrides = fc.array(
  fc.oneof(
    fc
      .tuple(fc.constantFrom('', '+', '++', '~'), keys, values)
      .map(([prefix, key, value]) => `${prefix}${key}=${value}`),
    fc.tuple(fc.constantFrom('~', '+', ''), keys).map(([prefix, key]) => prefix + key),
    fc.string({ maxLength: 20 }),
  ),
  { maxLength: 4 },
);

test('configs', async () => {
  const seen = new Set<string>();
  await holds(
    fc.asyncProperty(documents, async (text) => void seen.add(await outcome(text, []))),
    { numRuns: 400 },
  );
  expect([...seen].sort()).toEqual(['plan', 'problems']);
});

test('configs with overrides', async () => {
  const both = fc.tuple(documents, overrides);
  await holds(
    fc.asyncProperty(both, async ([text, given]) => void (await outcome(text, given))),
    { numRuns: 200 },
  );
});

test('URLs with secrets, valid or not', async () => {
  const odd = fc.oneof(
    fc.constantFrom('/', '?', '#', '@', ':', '%', '%40', '&', '=', '"', "'", ' ', '\\', '$', '${', 'é', '***'),
    fc.string({ maxLength: 4 }),
  );
  const around = fc.tuple(odd, odd).map(([before, after]) => `${before}CANARY${after}`);
  const urls = fc
    .tuple(
      fc.constantFrom('https://', 'http://', 'HTTP://', ' https://'),
      around,
      around,
      fc.constantFrom('h', 'h:80', '[::1]:8', ''),
      odd,
      around,
    )
    .map(
      ([scheme, user, password, host, path, key]) =>
        `${scheme}${user}:${password}@${host}/v1${path}?token=${key.replaceAll('&', '%26')}`,
    );
  const seen = new Set<string>();
  await holds(
    fc.asyncProperty(urls, fc.boolean(), async (url, isVariable) => {
      const given = isVariable ? url : url.replaceAll('${', '');
      // An unescaped `/` may end what was meant as a user and password, which then reads as a host and a path.
      const read = URL.canParse(given) ? new URL(given) : undefined;
      if (read !== undefined && (read.password === '' || /canary/i.test(read.host + read.pathname))) return;
      const target = isVariable ? '"${oc.env:URL}"' : JSON.stringify(given);
      const config = against(`{url: ${target}, model_id: m}`);
      try {
        expect(JSON.stringify((await plan(config, { env: { URL: given } })).plan)).not.toContain('CANARY');
        seen.add('plan');
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        expect(error.message).not.toContain('CANARY');
        seen.add('problems');
      }
    }),
    { numRuns: 1000 },
  );
  expect([...seen].sort()).toEqual(['plan', 'problems']);
});

test('overrides', async () => {
  const seen = new Set<string>();
  await holds(
    fc.asyncProperty(overrides, async (given) => void seen.add(await outcome(runnable(), given))),
    { numRuns: 400 },
  );
  expect([...seen].sort()).toEqual(['plan', 'problems']);
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
});

test('parsers return a tree or throw their own failure', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        '${',
        '}',
        '{',
        '[',
        ']',
        '\\',
        "'",
        '"',
        ',',
        ':',
        '.',
        ' ',
        '$',
        'a',
        'oc.env:',
        '1e5',
        '(',
        ')',
        '=',
        '+',
        '~',
      ),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 25 },
  );
  holds(
    fc.property(pieces, (parts) => {
      const text = parts.join('');
      try {
        parseText(text);
      } catch (error) {
        expect(error).toBeInstanceOf(GrammarFailure);
      }
      try {
        parseOverride(`a=${text}`, {});
      } catch (error) {
        expect(error).toBeInstanceOf(OverrideFailure);
      }
    }),
    { numRuns: 5000 },
  );
});

test('deep nesting is refused, not a stack overflow', async () => {
  for (const value of ['['.repeat(5000), '{a: '.repeat(5000), '${'.repeat(5000), `\${oc.decode:${"'".repeat(5000)}}`]) {
    expect(await outcome(runnable(`  extra_args: ${value}\n`), [])).toBe('problems');
    expect(await outcome(runnable(), [`deployment.extra_args=${value}`])).toBe('problems');
  }
  const chain = Array.from({ length: 3000 }, (_value, index) => `x${index}: \${x${index + 1}}\n`).join('');
  expect(await outcome(`${runnable()}${chain}x3000: 1\n`, [])).toBe('problems');
  const bomb = Array.from({ length: 40 }, (_value, index) => `x${index}: "\${x${index + 1}}\${x${index + 1}}"\n`).join(
    '',
  );
  expect(await outcome(`${runnable()}${bomb}x40: abcdefgh\n`, [])).toBe('problems');
  const containers = Array.from(
    { length: 40 },
    (_value, index) => `y${index}: ["\${y${index + 1}}", "\${y${index + 1}}"]\n`,
  ).join('');
  expect(await outcome(`${runnable()}${containers}y40: 1\n`, [])).toBe('problems');
});

// ESM-only packages are compiled to CommonJS for Jest, which cannot require(esm) on Node 20 (plain Node can).
const esm = [
  'execa',
  '@sindresorhus/.*',
  '@sec-ant/.*',
  'figures',
  'get-stream',
  'human-signals',
  'is-plain-obj',
  'is-stream',
  'is-unicode-supported',
  'npm-run-path',
  'parse-ms',
  'pretty-ms',
  'strip-final-newline',
  'unicorn-magic',
  'yoctocolors',
  'log-update',
  'ansi-escapes',
  'ansi-regex',
  'ansi-styles',
  'cli-cursor',
  'environment',
  'get-east-asian-width',
  'is-fullwidth-code-point',
  'mimic-function',
  'onetime',
  'restore-cursor',
  'slice-ansi',
  'strip-ansi',
  'wrap-ansi',
  'string-width',
  '@hono/node-server',
  'hono',
  'fast-check',
  'pure-rand',
  'path-key',
];

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.[cm]?[jt]s$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esm.join('|')})/)`],
  // unicorn-magic exports only an `import` condition, which Jest does not take for a require. Dynamic imports in src/ carry
  // the extension that Node wants; Jest runs the .ts files.
  moduleNameMapper: {
    '^unicorn-magic$': '<rootDir>/node_modules/unicorn-magic/node.js',
    '^(\\.{1,2}/.+)\\.js$': ['$1.js', '$1'],
  },
  testTimeout: 120_000,
  // Of the tests of one file that are said to be concurrent: they wait for timers most of their time.
  maxConcurrency: 4,
  globalSetup: '<rootDir>/test/setup/build-once.cjs',
  slowTestThreshold: 60,
};

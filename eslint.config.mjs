import tseslint from 'typescript-eslint';
import { createRequire, builtinModules } from 'node:module';

const require = createRequire(import.meta.url);
const importX = require('eslint-plugin-import-x');

const nodeModules = [...builtinModules, ...builtinModules.map((name) => `node:${name}`)].filter(
  (name) => !['assert', 'node:assert'].includes(name),
);

const restricted = [
  { selector: 'TSEnumDeclaration', message: 'Use a union of string literals.' },
  {
    selector:
      "CallExpression[callee.object.name='AbortSignal'][callee.property.name='any'] CallExpression[callee.object.name='AbortSignal'][callee.property.name='timeout']",
    message: 'Node forgets such a timeout (nodejs/node#57736): use within of src/support.',
  },
];

/** What a module could change: objects and arrays are frozen when the workflow bundle is loaded (scripts/build.mjs), these are not. */
const moduleState = [
  ":matches(Program, ExportNamedDeclaration) > VariableDeclaration[kind!='const']",
  ':matches(Program, ExportNamedDeclaration) > VariableDeclaration > VariableDeclarator > NewExpression[callee.name=/^(Map|WeakMap|WeakSet)$/]',
  ":matches(Program, ExportNamedDeclaration) > VariableDeclaration > VariableDeclarator > NewExpression[callee.name='Set'][arguments.length=0]",
];

export default tseslint.config(
  { ignores: ['dist/**', '.dist-*/**', 'node_modules/**', '**/*.cjs', '**/*.mjs'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    plugins: { 'import-x': importX },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'import-x/no-default-export': 'error',
      'no-restricted-syntax': ['error', ...restricted],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['warn', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    // The workflow sandbox: no Node, and only types from the rest of the product.
    files: ['src/workflows/**/*.ts', 'src/contract/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: nodeModules.map((name) => ({ name, message: 'Workflow code runs in a sandbox without Node.' })),
          patterns: [
            {
              group: ['@temporalio/client', '@temporalio/worker', '@temporalio/activity', '@temporalio/testing'],
              message: 'Not available in the workflow sandbox.',
              allowTypeImports: true,
            },
            {
              regex: '^\\.\\./(?!contract/)',
              message: 'Workflow code takes code from contract/ and its own folder only; of activities, types.',
              allowTypeImports: true,
            },
          ],
        },
      ],
      'no-restricted-syntax': [
        'error',
        ...restricted,
        ...moduleState.map((selector) => ({
          selector,
          message: 'All workflows of a worker share this module: keep state in an object of the workflow.',
        })),
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);

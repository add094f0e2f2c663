const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { packages } = require('./package-lock.json');

/**
 * Names of the installed packages that hold ES modules: Jest can't require() those, so they are compiled to CommonJS. From Node
 * 24.9 it can, with --experimental-vm-modules: when that is the oldest supported version, this and the mappings below can go.
 */
function esModulePackages() {
  const isEsModule = (folder) => {
    const manifest = path.join(__dirname, folder, 'package.json');
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).type === 'module';
  };
  const folders = Object.keys(packages).filter((folder) => folder !== '' && isEsModule(folder));
  return [
    ...new Set(folders.map((folder) => folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length))),
  ];
}

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
  transformIgnorePatterns: [`/node_modules/(?!(${esModulePackages().join('|')})/)`],
  // unicorn-magic exports only an `import` condition, which Jest does not take for a require. Dynamic imports in src/ carry
  // the extension that Node wants; Jest runs the .ts files.
  moduleNameMapper: {
    '^unicorn-magic$': '<rootDir>/node_modules/unicorn-magic/node.js',
    '^(\\.{1,2}/.+)\\.js$': ['$1.js', '$1'],
  },
  // Of a machine that is several times slower, with other suites beside this one.
  testTimeout: 300_000,
  // Of the tests of one file that are said to be concurrent: they wait for timers most of their time.
  maxConcurrency: 4,
  globalSetup: '<rootDir>/test/setup/before-all.cjs',
  slowTestThreshold: 60,
};

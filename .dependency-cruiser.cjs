/**
 * Which folder of src/ may import which: the arrows of ARCHITECTURE.md. `npm run deps` (a part of `npm run verify`) checks them;
 * an arrow that is not here is an error, as is a circle of files.
 */
const arrows = {
  contract: [],
  support: [],
  home: ['contract', 'support'],
  secrets: ['contract', 'home', 'support'],
  config: ['contract', 'secrets', 'support'],
  registry: ['config', 'support'],
  tracing: ['contract', 'support'],
  temporal: ['contract', 'home', 'support', 'tracing'],
  provision: ['home', 'support'],
  lepton: ['contract', 'home', 'secrets', 'support'],
  'local-platform': ['home', 'provision', 'secrets', 'support'],
  results: ['contract', 'home', 'lepton', 'secrets', 'support'],
  report: ['contract', 'results', 'support'],
  compare: ['contract', 'report', 'results', 'support'],
  export: ['contract', 'home', 'lepton', 'provision', 'report', 'results', 'secrets', 'support'],
  cleanup: ['contract', 'home', 'lepton', 'results', 'runs', 'secrets', 'support', 'temporal'],
  activities: ['cleanup', 'contract', 'export', 'home', 'lepton', 'report', 'results', 'secrets', 'support'],
  workflows: ['contract', 'activities'],
  worker: [
    'activities',
    'cleanup',
    'contract',
    'home',
    'lepton',
    'results',
    'secrets',
    'support',
    'temporal',
    'tracing',
  ],
  runs: ['activities', 'config', 'contract', 'home', 'results', 'support', 'temporal'],
  stack: ['cleanup', 'contract', 'home', 'lepton', 'provision', 'results', 'secrets', 'support', 'temporal'],
  doctor: [
    'config',
    'contract',
    'home',
    'lepton',
    'local-platform',
    'provision',
    'secrets',
    'stack',
    'support',
    'temporal',
  ],
  cli: [
    'cleanup',
    'compare',
    'config',
    'contract',
    'doctor',
    'export',
    'home',
    'lepton',
    'local-platform',
    'registry',
    'report',
    'results',
    'runs',
    'secrets',
    'stack',
    'support',
    'temporal',
    'tracing',
    'worker',
  ],
  library: ['cli', 'compare', 'config', 'contract', 'home', 'runs', 'stack', 'support', 'temporal'],
};

/** Imports that only name types: nothing of the imported file is loaded. */
const typesOnly = [
  { from: 'workflows', to: 'activities' },
  { from: 'runs', to: 'activities' },
];

const folder = (name) => `^src/${name}(/|\\.ts$)`;

/** Files that are not imported: commands, the library, what is run in processes, threads and sandboxes of their own, and what the build calls. */
const entryPoints = [
  '^src/cli/main\\.ts$',
  '^src/client\\.ts$',
  '^src/library\\.ts$',
  '^src/workflows/(index|places|tracing)\\.ts$',
  '^src/temporal/encryption/failure-converter\\.ts$',
  '^src/stack/fetch-server\\.ts$',
  '^src/worker/promise-stacks\\.ts$',
  '^src/local-platform/model-server/main\\.ts$',
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-dead-file',
      comment: 'No entry point leads to it.',
      severity: 'error',
      from: { path: entryPoints },
      to: { path: '^src/', pathNot: entryPoints, reachable: false },
    },
    {
      name: 'workflow-code-takes-no-package',
      comment: 'The workflow sandbox has no Node, and each package in it is part of every workflow bundle.',
      severity: 'error',
      from: { path: folder('(workflows|contract)') },
      to: { pathNot: ['^src/', '^node_modules/@temporalio/(workflow|common)/'] },
    },
    {
      name: 'no-development-package',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    ...typesOnly.map(({ from, to }) => ({
      name: `${from}-takes-only-types-of-${to}`,
      severity: 'error',
      from: { path: folder(from) },
      to: { path: folder(to), dependencyTypesNot: ['type-only'] },
    })),
  ],
  allowed: [
    ...Object.entries(arrows).map(([from, to]) => ({
      from: { path: folder(from) },
      to: { path: [from, ...to].map(folder) },
    })),
    { from: { path: '^src/client\\.ts$' }, to: { path: folder('(runs|contract|compare)') } },
    { from: { path: folder('cli') }, to: { path: '^src/client\\.ts$' } },
    { from: { path: '^src/' }, to: { pathNot: '^src/' } },
  ],
  allowedSeverity: 'error',
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};

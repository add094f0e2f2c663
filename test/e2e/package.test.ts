import { execa } from 'execa';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { stringify } from 'yaml';
import { commandBench, runConfig, type CommandBench } from '../support/command';
import { quickPlan } from '../support/simulated';

/** The package as its users get it: packed, installed in an empty project, with production dependencies only. */

const root = path.resolve(__dirname, '..', '..');
const require = createRequire(__filename);
const { installPacked } = require('../../scripts/install-packed.cjs') as {
  installPacked(below: string): Promise<{ project: string; files: string[] }>;
};

let bench: CommandBench;
let project: string;
let files: readonly string[];

beforeAll(async () => {
  bench = await commandBench('package');
  ({ project, files } = await installPacked(bench.folder));
});
afterAll(() => bench.dispose());

/** Code blocks of the library's documentation. */
const examples = [...readFileSync(path.join(root, 'docs/library.md'), 'utf8').matchAll(/```ts\n([^]*?)```/g)].map(
  ([, code = '']) => code,
);

const inProject = (args: readonly string[], env: Record<string, string> = {}) =>
  execa(process.execPath, args, { cwd: project, env: { ...bench.env, ...env }, extendEnv: false, reject: false });

test('ships the build and the documents, no sources and no tests', () => {
  expect(files).toEqual(expect.arrayContaining(['dist/library.js', 'dist/workflow-bundle.js', 'docs/library.md']));
  expect(files.filter((name) => /^(src|test|bench|scripts)\//.test(name))).toEqual([]);
});

test('needs no package that only development needs', () => {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  const onlyForDevelopment = Object.keys(packages).filter((name) => packages[name]?.dev);
  expect(onlyForDevelopment).toEqual(
    expect.arrayContaining(['node_modules/@temporalio/testing', 'node_modules/jest', 'node_modules/typescript']),
  );
  expect(onlyForDevelopment.filter((name) => existsSync(path.join(project, name)))).toEqual([]);
});

test('its command runs', async () => {
  const program = path.join(project, 'node_modules', '.bin', 'evalsaga');
  const help = await inProject([program, '--help']);
  expect(help).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('start') });
});

test('the documented examples have the types that the package declares', async () => {
  const names = examples.map((code, index) => {
    writeFileSync(path.join(project, `example-${index}.mts`), code);
    return `example-${index}.mts`;
  });
  expect(names.length).toBeGreaterThan(3);
  const tsc = [
    require.resolve('typescript/bin/tsc'),
    ...['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck'],
    ...['--types', 'node', '--typeRoots', path.join(root, 'node_modules', '@types')],
  ];
  const { stdout, exitCode } = await inProject([...tsc, ...names]);
  expect(stdout).toBe('');
  expect(exitCode).toBe(0);
});

test('the first documented example runs: a run is started, watched, and its scores are read', async () => {
  const platform = await bench.lepton(quickPlan);
  writeFileSync(path.join(project, 'run.yaml'), stringify(runConfig()));
  writeFileSync(path.join(project, 'example.mjs'), examples[0] ?? '');
  const { stdout, stderr, exitCode } = await inProject(['example.mjs'], platform.env);
  expect(`${exitCode} ${stderr}`).toMatch(/^0 /);
  expect(stdout).toMatch(/running starting[^]*succeeded done[^]*hellaswag \[[^]*arc_challenge \[[^]*winogrande \[/);
  expect(await platform.inventory()).toMatchObject({ deployments: [], jobs: [] });
  // The same run, by require, from another process.
  const again =
    "const e = require('evalsaga'); e.connect({ start: false }).then(async (c) => { console.log((await e.resultsOf(c, 'nightly')).status, await e.cancelRun(c, 'nightly')); await c.close(); })";
  expect(await inProject(['-e', again])).toMatchObject({ exitCode: 0, stdout: 'succeeded already closed' });
});

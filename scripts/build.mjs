/** Builds dist/: compiled sources, YAML presets and data beside them, and the prebuilt workflow bundle. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const dist = path.join(root, 'dist');
/** Built in a separate folder and swapped in at the end, so that the previous build keeps working meanwhile. */
const draft = path.join(root, `.dist-${process.pid}`);

/** An installation without development packages (`npm ci --omit=dev`) uses an existing build. */
if (!canResolve('typescript/bin/tsc')) {
  if (existsSync(path.join(dist, 'workflow-bundle.js'))) process.exit(0);
  console.error(
    'The TypeScript compiler is not installed, and there is no dist/ yet: run npm ci without --omit=dev once.',
  );
  process.exit(1);
}

try {
  const tsc = [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', draft];
  execFileSync(process.execPath, tsc, { cwd: root, stdio: 'inherit' });
  copyData(path.join(root, 'src'), draft);
  await bundleWorkflows();
  const old = path.join(root, `.dist-old-${process.pid}`);
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(draft, dist);
  rmSync(old, { recursive: true, force: true });
} finally {
  rmSync(draft, { recursive: true, force: true });
}

function canResolve(name) {
  try {
    return Boolean(require.resolve(name));
  } catch {
    return false;
  }
}

/** Copies all other files (presets, catalogue, Python and shell files) to the same place in the build. */
function copyData(from, to) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name);
    if (entry.isDirectory()) copyData(source, path.join(to, entry.name));
    else if (!entry.name.endsWith('.ts')) cpSync(source, path.join(to, entry.name), { recursive: true });
  }
}

async function bundleWorkflows() {
  const workflowsPath = path.join(draft, 'workflows', 'index.js');
  const workflowInterceptorModules = ['places.js', 'tracing.js'].map((name) => path.join(draft, 'workflows', name));
  const { bundleWorkflowCode } = require('@temporalio/worker');
  const logger = { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error, log() {} };
  // Workflows convert failures too, so the converter is part of their bundle.
  const failureConverterPath = path.join(draft, 'temporal', 'encryption', 'failure-converter.js');
  const { withoutPromiseStacks } = require(path.join(draft, 'worker', 'promise-stacks.js'));
  const bundles = { 'workflow-bundle.js': {}, 'workflow-bundle.encrypted.js': { failureConverterPath } };
  for (const [name, options] of Object.entries(bundles)) {
    const { code } = await bundleWorkflowCode({
      workflowsPath,
      workflowInterceptorModules,
      // No module of ours keeps anything of a workflow: loaded once for all, not once for each.
      preloadModules: [workflowsPath, ...workflowInterceptorModules],
      logger,
      ...options,
    });
    writeFileSync(path.join(draft, name), withoutPromiseStacks(code));
  }
}

/** Builds dist/: compiled sources, YAML presets and data beside them, and the prebuilt workflow bundle. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const dist = path.join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
copyData(path.join(root, 'src'), dist);
await bundleWorkflows();

/** Copies every file that is not TypeScript (presets, catalogue, Python and shell data) to the same place in dist. */
function copyData(from, to) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name);
    if (entry.isDirectory()) copyData(source, path.join(to, entry.name));
    else if (!entry.name.endsWith('.ts')) cpSync(source, path.join(to, entry.name), { recursive: true });
  }
}

async function bundleWorkflows() {
  const workflowsPath = path.join(dist, 'workflows', 'index.js');
  if (!existsSync(workflowsPath)) return;
  const { bundleWorkflowCode } = require('@temporalio/worker');
  const quiet = { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error, log() {} };
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: quiet });
  writeFileSync(path.join(dist, 'workflow-bundle.js'), code);
}

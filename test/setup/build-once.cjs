/** Tests that run the product as a process, or its workflow bundle, use dist/: build it once, before all of them, when it is older than src/. */
const { execFileSync } = require('node:child_process');
const { readdirSync, statSync, existsSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..', '..');

const newest = (dir) =>
  readdirSync(dir, { withFileTypes: true }).reduce((latest, entry) => {
    const file = path.join(dir, entry.name);
    return Math.max(latest, entry.isDirectory() ? newest(file) : statSync(file).mtimeMs);
  }, 0);

module.exports = function buildOnce() {
  const bundle = path.join(root, 'dist', 'workflow-bundle.js');
  if (existsSync(bundle) && statSync(bundle).mtimeMs > newest(path.join(root, 'src'))) return;
  execFileSync(process.execPath, [path.join(root, 'scripts', 'build.mjs')], { cwd: root, stdio: 'inherit' });
};

/**
 * Packs the built product as `npm pack` does, and installs it in an empty project as its users do: production dependencies only, of the
 * versions in package-lock.json, without scripts. Used by a test and by the bench. npm takes the packages from its cache if it can.
 */
const { execFile } = require('node:child_process');
const { mkdirSync, readFileSync, readdirSync, lstatSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');

const run = promisify(execFile);
const root = path.resolve(__dirname, '..');
/** npm must not take this process for one of its own scripts. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD|NODE_ENV)/.test(name)));

/** Returns the project's folder and the names of the packed files. `below`: an existing folder. */
async function installPacked(below) {
  const npm = (args, cwd) => run('npm', args, { cwd, env, maxBuffer: 1 << 26 });
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', below], root);
  const [{ filename, files }] = JSON.parse(stdout);
  const project = path.join(below, 'project');
  mkdirSync(project);
  const tarball = `file:../${filename}`;
  writeJson(path.join(project, 'package.json'), { private: true, dependencies: { evalsaga: tarball } });
  writeJson(path.join(project, 'package-lock.json'), lockFor(tarball));
  await npm(['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], project);
  return { project, files: files.map((file) => file.path) };
}

/** The lock of a project whose only dependency is the tarball: ours, without what only development needs. */
function lockFor(tarball) {
  const { lockfileVersion, packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const { '': own, ...others } = packages;
  const { version, dependencies, bin, engines } = own;
  const production = Object.fromEntries(Object.entries(others).filter(([, entry]) => !entry.dev));
  const ours = { version, resolved: tarball, dependencies, bin, engines };
  const packagesOfProject = {
    '': { dependencies: { evalsaga: tarball } },
    'node_modules/evalsaga': ours,
    ...production,
  };
  return { lockfileVersion, requires: true, packages: packagesOfProject };
}

const writeJson = (file, value) => writeFileSync(file, JSON.stringify(value, null, 2));

/** Returns megabytes (2^20 bytes) of all files below a folder. */
function megabytesOf(folder) {
  const bytes = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
    const found = lstatSync(path.join(folder, name));
    return found.isFile() ? found.size : 0;
  });
  return bytes.reduce((sum, size) => sum + size, 0) / 1_048_576;
}

module.exports = { installPacked, megabytesOf };

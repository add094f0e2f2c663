/**
 * Does in a clean folder what deploy/Dockerfile does in an image, reading the file itself, and starts what it would start: as its
 * user, with its variables and no others, and with everything read-only except what the image may write. For machines without a docker
 * daemon. Not done: base images, and commands that install system packages and users. Needs Linux and root.
 *
 *   node scripts/image-in-folder.mjs        prints what it found; exit code 1 if the worker does not become ready
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
/** Not below /tmp, which the worker gets another one of; nor in a home, which its user can't enter. */
const folder = mkdtempSync('/var/tmp/evalsaga-image-');
/** Only PATH is inherited: an image has nothing else of this machine. npm's cache saves the download. */
const bare = { PATH: process.env.PATH, HOME: folder, npm_config_cache: path.join(homedir(), '.npm') };
const children = [];

/** Follows the Dockerfile; returns the last stage. */
function build() {
  const text = readFileSync(path.join(root, 'deploy', 'Dockerfile'), 'utf8').replace(/\\\n/g, ' ');
  const stages = [];
  for (const line of text.split('\n')) {
    const [, instruction, rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (instruction === undefined || instruction === 'ARG') continue;
    if (instruction === 'FROM') stages.push(newStage(/ AS (\S+)/.exec(rest)?.[1] ?? 'last', stages.length));
    else follow(instruction, rest, { stage: stages.at(-1), stages });
  }
  return stages.at(-1);
}

function newStage(name, index) {
  const at = path.join(folder, `${index}-${name}`);
  mkdirSync(at);
  return { name, root: at, workdir: '/', env: {}, user: undefined, entrypoint: [], command: [] };
}

const inside = (stage, file) => path.join(stage.root, path.resolve(stage.workdir, file));

function follow(instruction, rest, { stage, stages }) {
  switch (instruction) {
    case 'WORKDIR':
      stage.workdir = rest;
      return mkdirSync(inside(stage, '.'), { recursive: true });
    case 'COPY':
      return copy(rest.split(/\s+/), { stage, stages });
    case 'RUN':
      // What belongs to the base image's system.
      if (/^(apt-get|groupadd)/.test(rest)) return;
      return execFileSync('sh', ['-c', rest], {
        cwd: inside(stage, '.'),
        env: bare,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    case 'ENV':
      return Object.assign(stage.env, Object.fromEntries(rest.split(/\s+/).map((pair) => pair.split(/=(.*)/s))));
    case 'USER':
      stage.user = rest.split(':').map(Number);
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(rest);
      return;
    case 'CMD':
      stage.command = JSON.parse(rest);
      return;
    case 'VOLUME':
    case 'EXPOSE':
      return;
    default:
      throw new Error(`deploy/Dockerfile has an instruction that this script doesn't know: ${instruction}`);
  }
}

function copy(words, { stage, stages }) {
  const from = /^--from=(.*)/.exec(words[0])?.[1];
  const [target, ...sources] = words.slice(from === undefined ? 0 : 1).toReversed();
  const source = from === undefined ? undefined : stages.find(({ name }) => name === from);
  for (const name of sources.toReversed()) {
    if (source) {
      const file = path.join(source.root, name);
      cpSync(
        file,
        target.endsWith('/') ? path.join(inside(stage, target), path.basename(name)) : inside(stage, target),
        {
          recursive: true,
          verbatimSymlinks: true,
        },
      );
    } else if (name === '.') for (const allowed of contextFiles()) into(stage, allowed, target);
    else into(stage, name, target);
  }
}

const into = (stage, name, target) =>
  cpSync(path.join(root, name), path.join(inside(stage, target), name), { recursive: true });

/** What .dockerignore lets through. */
const contextFiles = () =>
  readFileSync(path.join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .flatMap((line) => /^!(.*)/.exec(line)?.[1] ?? [])
    .filter((name) => existsSync(path.join(root, name)));

async function serve(image) {
  const [uid, gid] = image.user;
  const home = path.join(image.root, image.env.EVALSAGA_HOME);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chownSync(home, uid, gid);
  for (const readable of [folder, image.root]) chmodSync(readable, 0o755);
  const [grpc, metrics] = [await freePort(), await freePort()];
  start(await temporalProgram(image), ['server', 'start-dev', '--headless', '--port', String(grpc)], { env: bare });
  const env = {
    PATH: process.env.PATH,
    ...image.env,
    EVALSAGA_HOME: home,
    EVALSAGA_METRICS_ADDRESS: `127.0.0.1:${metrics}`,
    TEMPORAL_ADDRESS: `127.0.0.1:${grpc}`,
  };
  // tini, which the base image's system would have, starts the rest of the entry point.
  const [program, ...args] = [...image.entrypoint.slice(image.entrypoint.indexOf('--') + 1), ...image.command];
  const script = `mount --bind ${home} ${home} && mount --bind /dev/shm /tmp && mount -o remount,ro,bind / && exec setpriv --reuid ${uid} --regid ${gid} --clear-groups --no-new-privs --bounding-set=-all "$@"`;
  const command = [
    program,
    ...args.map((argument) => (argument.startsWith('/app') ? path.join(image.root, argument) : argument)),
  ];
  const worker = start('unshare', ['--mount', 'sh', '-c', script, 'sh', ...command], {
    env,
    cwd: home,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  worker.stderr.on('data', (chunk) => (said += chunk));
  let code;
  worker.on('exit', (status) => (code = status));
  for (let attempt = 0; attempt < 240; attempt += 1) {
    if (code !== undefined) throw new Error(`the worker ended with ${code}: ${said}`);
    const ready = await fetch(`http://127.0.0.1:${metrics}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (ready) break;
    if (attempt === 239) throw new Error(`the worker did not become ready: ${said}`);
    await sleep(500);
  }
  worker.kill('SIGTERM');
  for (let attempt = 0; attempt < 200 && code === undefined; attempt += 1) await sleep(500);
  if (code !== 0) throw new Error(`on SIGTERM the worker ended with ${code}: ${said}`);
}

function start(program, args, options) {
  const child = spawn(program, args, { stdio: 'ignore', ...options });
  children.push(child);
  return child;
}

function temporalProgram(image) {
  const dist = path.join(image.root, image.workdir, 'dist');
  const { findServerBinary } = require(path.join(dist, 'stack', 'server-binary.js'));
  const { homePaths } = require(path.join(dist, 'home', 'paths.js'));
  return findServerBinary({
    home: homePaths({ EVALSAGA_HOME: path.join(homedir(), '.cache', 'evalsaga-test') }),
    env: process.env,
  });
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

try {
  const image = build();
  await serve(image);
  console.log('the image built in a folder: its worker became ready, and ended on SIGTERM with exit code 0');
} finally {
  for (const child of children) child.kill('SIGTERM');
  await sleep(500);
  rmSync(folder, { recursive: true, force: true });
}

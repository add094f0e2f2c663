import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { unitStatus } from './unit';

/** The processes of an endpoint or job, which keep running without the platform that started them. */
export interface RunningUnit {
  readonly kind: 'endpoint' | 'job';
  /** An endpoint's name, a job's id. */
  readonly name: string;
  /** Leader of the process group. */
  readonly pid: number;
}

/** Returns what still runs of the platform with this state folder, whether the platform itself runs or not. */
export async function runningUnits(stateFolder: string): Promise<RunningUnit[]> {
  const kinds = [
    ['endpoint', 'deployments'],
    ['job', 'jobs'],
  ] as const;
  const found = await Promise.all(
    kinds.map(async ([kind, folder]) => {
      const root = path.join(stateFolder, 'runtime', folder);
      const names = await foldersIn(root);
      return Promise.all(names.map(async (name) => unitsOf({ kind, name }, path.join(root, name))));
    }),
  );
  return found.flat(2);
}

async function unitsOf(owner: Pick<RunningUnit, 'kind' | 'name'>, folder: string): Promise<RunningUnit[]> {
  const units = await Promise.all((await foldersIn(folder)).map((name) => unitStatus(path.join(folder, name))));
  return units.flatMap((status) => (status.kind === 'running' ? [{ ...owner, pid: status.pid }] : []));
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

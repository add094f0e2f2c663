import { stat } from 'node:fs/promises';
import path from 'node:path';
import { describeLimits, noLimits, type Limits } from '../process/limits/rule';
import type { UnitCommand, UnitStatus } from '../process/unit';
import { ProcessUnits, type Units } from '../process/units';
import { clientEnvironment, containerExists, docker, removeContainer } from './client';
import { containerName } from './run-arguments';

/** The script that runs and follows a container: the command of each unit. */
export const FOLLOW = path.join(__dirname, 'follow.sh');

/**
 * Units as containers, each with a process here that follows it: it writes the log and tells how the container ended. The
 * container's name follows from the unit's folder, so that it is found whatever became of that process.
 */
export class DockerUnits implements Units {
  readonly #followers = new ProcessUnits({ kind: 'none', why: 'limited by docker' });

  launch(command: UnitCommand): Promise<number> {
    return this.#followers.launch(command, noLimits);
  }

  /** A container whose follower was killed is followed again. */
  async status(folder: string): Promise<UnitStatus> {
    const status = await this.#followers.status(folder);
    if (status.kind !== 'lost' || !(await containerExists(containerName(folder)))) return status;
    const log = path.join(path.dirname(folder), 'log');
    const since = await stat(log).then(
      ({ mtime }) => mtime.toISOString(),
      () => undefined,
    );
    await this.launch({
      folder,
      command: ['/bin/sh', FOLLOW, folder, containerName(folder)],
      env: { ...clientEnvironment(), ...(since === undefined ? {} : { SINCE: since }) },
      cwd: path.dirname(folder),
      log,
    });
    return this.#followers.status(folder);
  }

  ended(folder: string, signal: AbortSignal): Promise<UnitStatus> {
    return this.#followers.ended(folder, signal);
  }

  async end(folder: string, graceMs: number): Promise<void> {
    const name = containerName(folder);
    // One that never came to be is none to stop; what can't be stopped is removed all the same.
    await docker(['stop', '--time', String(Math.ceil(graceMs / 1000)), name], { timeoutMs: graceMs + 30_000 });
    await this.#followers.end(folder, graceMs);
    await removeContainer(name);
  }

  async sweep(folder: string, group: number | undefined): Promise<void> {
    await this.#followers.sweep(folder, group);
    await removeContainer(containerName(folder));
  }

  describe(limits: Limits): string {
    const told = describeLimits(limits);
    return told === undefined
      ? 'not limited: nothing is asked for that is less than this machine'
      : `limited to ${told}, by docker`;
  }
}

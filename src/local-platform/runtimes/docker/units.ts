import { stat } from 'node:fs/promises';
import path from 'node:path';
import { describeLimits, noLimits, type Limits } from '../process/limits/rule';
import type { UnitCommand, UnitStatus } from '../process/unit';
import { ProcessUnits, type Units } from '../process/units';
import { clientEnvironment, containerExists, docker, removeContainer } from './client';
import { containerName } from './run-arguments';

/** The script that runs and follows a container; it is the command of each unit. */
export const FOLLOW_SCRIPT = path.join(__dirname, 'follow.sh');

/**
 * Units as containers. Each is followed by a local process that writes the log and reports how the container ended. The
 * container's name is derived from the unit's folder, so that it is found even if that process was killed.
 */
export class DockerUnits implements Units {
  readonly #followers = new ProcessUnits({ kind: 'none', why: 'limited by docker' });

  launch(command: UnitCommand): Promise<number> {
    return this.#followers.launch(command, noLimits);
  }

  /** Starts a new follower for a container whose follower was killed. */
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
      command: ['/bin/sh', FOLLOW_SCRIPT, folder, containerName(folder)],
      env: { ...clientEnvironment(), ...(since === undefined ? {} : { SINCE: since }) },
      cwd: path.dirname(folder),
      log,
    });
    return this.#followers.status(folder);
  }

  waitForEnd(folder: string, signal: AbortSignal): Promise<UnitStatus> {
    return this.#followers.waitForEnd(folder, signal);
  }

  async end(folder: string, graceMs: number): Promise<void> {
    const name = containerName(folder);
    // The container may not exist, and one that can't be stopped is removed below all the same: failure is ignored.
    await docker(['stop', '--time', String(Math.ceil(graceMs / 1000)), name], { timeoutMs: graceMs + 30_000 });
    await this.#followers.end(folder, graceMs);
    await removeContainer(name);
  }

  async killRemaining(folder: string, group: number | undefined): Promise<void> {
    await this.#followers.killRemaining(folder, group);
    await removeContainer(containerName(folder));
  }

  describe(limits: Limits): string {
    const described = describeLimits(limits);
    return described === undefined
      ? 'not limited: the spec asks for no less than this machine has'
      : `limited to ${described}, by docker`;
  }
}

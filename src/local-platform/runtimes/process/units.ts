import { randomBytes } from 'node:crypto';
import { appendFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { joinGroup, makeGroup, removeGroup, systemdPrefix, type Mechanism } from './limits/mechanism';
import { describeLimits, type Limits } from './limits/rule';
import { endUnit, launchUnit, prepareUnit, sweepUnit, unitEnd, unitStatus } from './unit';
import type { Confinement, UnitCommand, UnitStatus } from './unit';

/** What deployments and jobs run as. A unit is named by its folder. */
export interface Units {
  /** Starts the command; resolves once the unit can be found again, to its process group. */
  launch(command: UnitCommand, limits: Limits): Promise<number>;
  status(folder: string): Promise<UnitStatus>;
  /** Resolves when the unit runs no more; rejects when `signal` aborts first. */
  ended(folder: string, signal: AbortSignal): Promise<UnitStatus>;
  /** SIGTERM, and SIGKILL after `graceMs`: resolves when nothing of it runs any more. */
  end(folder: string, graceMs: number): Promise<void>;
  /** Ends what a command that is over left behind. `group`: its process group, when it ended just now. */
  sweep(folder: string, group: number | undefined): Promise<void>;
  /** How these limits are kept, in words: `limited to 1 CPU by …`, or why they are not. */
  describe(limits: Limits): string;
}

/** Units as processes of this machine. */
export class ProcessUnits implements Units {
  readonly #mechanism: Mechanism;

  constructor(mechanism: Mechanism) {
    this.#mechanism = mechanism;
  }

  async launch(command: UnitCommand, limits: Limits): Promise<number> {
    await prepareUnit(command.folder);
    let confinement: Confinement | undefined;
    try {
      confinement = await this.#confine(limits);
      if (confinement === undefined) return await launchUnit(command);
      await writeFile(path.join(command.folder, 'limited'), confinement.mount, { mode: 0o600 });
      return await launchUnit(command, confinement);
    } catch (error) {
      if (this.#mechanism.kind === 'none') throw error;
      // Evaluating without limits is better than not at all.
      await appendFile(command.log, `The limits can't be set, it runs without: ${String(error)}\n`);
      await prepareUnit(command.folder);
      return launchUnit(command);
    }
  }

  status(folder: string): Promise<UnitStatus> {
    return unitStatus(folder);
  }

  ended(folder: string, signal: AbortSignal): Promise<UnitStatus> {
    return unitEnd(folder, signal);
  }

  end(folder: string, graceMs: number): Promise<void> {
    return endUnit(folder, graceMs);
  }

  sweep(folder: string, group: number | undefined): Promise<void> {
    return sweepUnit(folder, group);
  }

  describe(limits: Limits): string {
    const told = describeLimits(limits);
    if (told === undefined) return 'not limited: nothing is asked for that is less than this machine';
    const mechanism = this.#mechanism;
    switch (mechanism.kind) {
      case 'systemd':
        return `limited to ${told}, by systemd`;
      case 'cgroup':
        return `limited to ${told}, by a control group`;
      case 'none':
        return `not limited to ${told}: ${mechanism.why}`;
    }
  }

  async #confine(limits: Limits): Promise<Confinement | undefined> {
    const mechanism = this.#mechanism;
    if (mechanism.kind === 'none' || describeLimits(limits) === undefined) return undefined;
    const name = `evalsaga-${randomBytes(8).toString('hex')}`;
    const { mount } = mechanism;
    if (mechanism.kind === 'systemd')
      return { prefix: systemdPrefix(mechanism.manager, limits, name), env: busOf(process.env), mount };
    const group = path.join(mechanism.folder, name);
    try {
      await makeGroup(group, limits);
    } catch (error) {
      await removeGroup(group);
      throw error;
    }
    return { prefix: joinGroup(group), env: {}, mount };
  }
}

/** By which systemd-run finds the user's manager. */
function busOf(env: NodeJS.ProcessEnv): Record<string, string> {
  const wanted = ['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'];
  return Object.fromEntries(wanted.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

import { randomBytes } from 'node:crypto';
import { appendFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { joinGroup, makeGroup, removeGroup, systemdPrefix, type Mechanism } from './limits/mechanism';
import { describeLimits, type Limits } from './limits/rule';
import { endUnit, launchUnit, prepareUnit, killRemainingOf, waitForUnitEnd, unitStatus } from './unit';
import type { Confinement, UnitCommand, UnitStatus } from './unit';

/** Starts and ends units, in which deployments and jobs run. A unit is identified by its folder. */
export interface Units {
  /** Starts the command; resolves to its process group once the unit can be found again. */
  launch(command: UnitCommand, limits: Limits): Promise<number>;
  status(folder: string): Promise<UnitStatus>;
  /** Resolves when the unit no longer runs; rejects if `signal` aborts first. */
  waitForEnd(folder: string, signal: AbortSignal): Promise<UnitStatus>;
  /** Sends SIGTERM, and SIGKILL after `graceMs`; resolves when none of its processes runs any more. */
  end(folder: string, graceMs: number): Promise<void>;
  /** Kills what an ended command left running. `group` is its process group, if it ended just now. */
  killRemaining(folder: string, group: number | undefined): Promise<void>;
  /** Describes how these limits are enforced (`limited to 1 CPU, by …`), or why they are not. */
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
      // An evaluation without limits is better than none.
      await appendFile(command.log, `The limits can't be set, so it runs without: ${String(error)}\n`);
      await prepareUnit(command.folder);
      return launchUnit(command);
    }
  }

  status(folder: string): Promise<UnitStatus> {
    return unitStatus(folder);
  }

  waitForEnd(folder: string, signal: AbortSignal): Promise<UnitStatus> {
    return waitForUnitEnd(folder, signal);
  }

  end(folder: string, graceMs: number): Promise<void> {
    return endUnit(folder, graceMs);
  }

  killRemaining(folder: string, group: number | undefined): Promise<void> {
    return killRemainingOf(folder, group);
  }

  describe(limits: Limits): string {
    const described = describeLimits(limits);
    if (described === undefined) return 'not limited: the spec asks for no less than this machine has';
    const mechanism = this.#mechanism;
    switch (mechanism.kind) {
      case 'systemd':
        return `limited to ${described}, by systemd`;
      case 'cgroup':
        return `limited to ${described}, by a control group`;
      case 'none':
        return `not limited to ${described}: ${mechanism.why}`;
    }
  }

  async #confine(limits: Limits): Promise<Confinement | undefined> {
    const mechanism = this.#mechanism;
    if (mechanism.kind === 'none' || describeLimits(limits) === undefined) return undefined;
    const name = `evalsaga-${randomBytes(8).toString('hex')}`;
    const { mount } = mechanism;
    if (mechanism.kind === 'systemd')
      return { prefix: systemdPrefix(mechanism.manager, limits, name), env: busVariables(process.env), mount };
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

/** Returns the variables by which systemd-run finds the user's manager. */
function busVariables(env: NodeJS.ProcessEnv): Record<string, string> {
  const wanted = ['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'];
  return Object.fromEntries(wanted.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

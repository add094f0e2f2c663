import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { LogMark } from '../../logs/log-marks';
import type { DeploymentObservation, LogOptions, RuntimeDeployment } from '../../runtime';
import { readLog } from './log-file';
import { LogGrowth } from './log-growth';
import { ServedDeployment, type ServedWeights, type Surroundings } from './served-deployment';

/** Deployments as process groups on this machine, one replica each. */
export class ProcessDeployments {
  readonly #around: Surroundings;
  readonly #folder: string;
  readonly #deployments = new Map<string, ServedDeployment>();
  readonly #growth = new LogGrowth();

  constructor(around: Surroundings) {
    this.#around = around;
    this.#folder = path.join(around.host.stateFolder, 'deployments');
  }

  /** Takes over what runs since before; starts what never ran. */
  adopt(deployment: RuntimeDeployment): Promise<void> {
    return this.#add(deployment).adopt();
  }

  create(deployment: RuntimeDeployment): void {
    this.#add(deployment).start();
  }

  observe(name: string): DeploymentObservation {
    const absent = { state: 'Stopped', url: undefined, readyReplicas: 0, message: undefined } as const;
    return this.#deployments.get(name)?.observation ?? absent;
  }

  /** Resolves when nothing of it is left, neither processes nor files. */
  async delete(name: string): Promise<void> {
    const deployment = this.#deployments.get(name);
    if (!deployment) return;
    await deployment.takeDown();
    await this.#growth.forget(deployment.log);
    await rm(deployment.folder, { recursive: true, force: true });
    if (this.#deployments.get(name) === deployment) this.#deployments.delete(name);
  }

  scale(name: string, minReplicas: number): void {
    this.#deployments.get(name)?.scale(minReplicas);
  }

  restart(name: string): void {
    this.#deployments.get(name)?.bringUp();
  }

  async detach(): Promise<void> {
    await Promise.all([...this.#deployments.values()].map((deployment) => deployment.detach()));
    await this.#growth.close();
  }

  /** When the log grew. */
  async logMarks(name: string): Promise<LogMark[]> {
    return this.#growth.marks(this.#deployments.get(name)?.log ?? '');
  }

  log(name: string, options: LogOptions): AsyncIterable<Uint8Array> {
    const deployment = this.#deployments.get(name);
    const file = deployment?.log ?? path.join(this.#folder, name, 'log');
    const ended = (): boolean => this.#deployments.get(name) !== deployment || deployment?.isUp !== true;
    return readLog(file, { ...options, ended });
  }

  async lastRequestAt(name: string): Promise<number | undefined> {
    return this.#deployments.get(name)?.lastRequestAt();
  }

  /** What is served where now. */
  served(): ServedWeights[] {
    return [...this.#deployments.values()].flatMap(({ served }) => served ?? []);
  }

  #add(deployment: RuntimeDeployment): ServedDeployment {
    const added = new ServedDeployment(deployment, path.join(this.#folder, deployment.name), this.#around);
    this.#deployments.set(deployment.name, added);
    this.#growth.watch(added.log);
    return added;
  }
}

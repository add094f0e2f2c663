import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { LogSegment } from '../../logs/log-segments';
import type { DeploymentObservation, LogOptions, RuntimeDeployment } from '../../runtime';
import { readLog } from './log-file';
import { LogGrowthRecorder } from './log-growth';
import { ServedDeployment, type ServedWeights, type DeploymentDependencies } from './served-deployment';

/** Deployments as process groups on this machine, one replica each. */
export class ProcessDeployments {
  readonly #dependencies: DeploymentDependencies;
  readonly #folder: string;
  readonly #deployments = new Map<string, ServedDeployment>();
  readonly #growth = new LogGrowthRecorder();

  constructor(dependencies: DeploymentDependencies) {
    this.#dependencies = dependencies;
    this.#folder = path.join(dependencies.host.stateFolder, 'deployments');
  }

  /** Takes over a deployment that runs since before a restart; starts one that never ran. */
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

  /** Resolves when neither processes nor files of it are left. */
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

  async logSegments(name: string): Promise<LogSegment[]> {
    return this.#growth.segments(this.#deployments.get(name)?.log ?? '');
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

  /** Returns which weights are served where now. */
  servedWeights(): ServedWeights[] {
    return [...this.#deployments.values()].flatMap(({ servedWeights }) => servedWeights ?? []);
  }

  #add(deployment: RuntimeDeployment): ServedDeployment {
    const added = new ServedDeployment(deployment, path.join(this.#folder, deployment.name), this.#dependencies);
    this.#deployments.set(deployment.name, added);
    this.#growth.watch(added.log);
    return added;
  }
}

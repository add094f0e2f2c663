import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, invalid, notFound } from '../api-error';
import { isObject, numberAt, objectAt, textAt, withoutNulls, type JsonObject } from '../json';
import { mergePatch } from '../merge-patch';
import type { DeploymentObservation, DeploymentSpecBody, SpecMount } from '../runtime';
import type { DeploymentRecord } from '../state/records';
import type { WorkspaceContext } from './context';
import { withNotes, withState } from './history';
import { IdleWatch, idleMessage } from './idle';
import { checkDeploymentSpec, checkName } from './spec-rules';

/** A deployment as it is now: what was posted, and what the runtime says of it. */
export interface DeploymentView {
  readonly record: DeploymentRecord;
  readonly observed: DeploymentObservation;
}

const platformKeys = ['id', 'name', 'created_at', 'version', 'last_modified_at'];
const deletionRetryMs = 2_000;

export const minReplicas = (spec: JsonObject): number =>
  numberAt(objectAt(spec, 'resource_requirement'), 'min_replicas') ?? 1;

/** Replicas that it has or is on its way to. */
export const desiredReplicas = ({ spec, idleAt }: DeploymentRecord): number =>
  idleAt === undefined ? minReplicas(spec) : 0;

export const asDeploymentSpec = (spec: JsonObject): DeploymentSpecBody => spec;

export class Deployments {
  readonly #context: WorkspaceContext;
  /** On their way to disk: reserved and visible, but the runtime has not heard of them. */
  readonly #beginning = new Set<string>();
  readonly #idle: IdleWatch;

  constructor(context: WorkspaceContext) {
    this.#context = context;
    this.#idle = new IdleWatch((name) => context.runtime.lastRequestAt(name));
  }

  /** Goes on with what a kill interrupted: deletions and stops. Called once, after the runtime has started. */
  resume(): void {
    for (const record of this.#context.state.deployments.values()) {
      if (record.deletedAt !== undefined) this.#endInBackground(record.name);
      else if (desiredReplicas(record) === 0) this.#context.runtime.scaleDeployment(record.name, 0);
    }
  }

  list(): DeploymentView[] {
    return this.#context.state.deployments
      .values()
      .sort((a, b) => a.createdAt - b.createdAt || a.name.localeCompare(b.name))
      .map((record) => this.#view(record));
  }

  /** Throws 404. */
  get(name: string): DeploymentView {
    return this.#view(this.#record(name));
  }

  /** Throws 400 and 409; resolves once the deployment is on disk and the runtime has begun. */
  async create(posted: JsonObject): Promise<DeploymentView> {
    const metadata = withoutNulls(objectAt(posted, 'metadata'));
    const name = textAt(metadata, 'name') ?? textAt(metadata, 'id');
    if (name === undefined) throw invalid('metadata.name: a deployment needs a name');
    checkName('deployment', name);
    if (!isObject(posted['spec'])) throw invalid('spec: a deployment needs a spec');
    const spec = withoutNulls(posted['spec']);
    checkDeploymentSpec(spec);
    if (this.#context.state.deployments.get(name) !== undefined) throw conflict(`deployment ${name} already exists`);
    const at = this.#context.now();
    const record: DeploymentRecord = {
      name,
      metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !platformKeys.includes(key))),
      spec,
      createdAt: at,
      modifiedAt: at,
      version: 1,
      events: [{ at, type: 'Normal', reason: 'Created' }],
    };
    this.#beginning.add(name);
    try {
      await this.#context.state.deployments.put(name, record);
      this.#context.runtime.createDeployment({ name, spec: asDeploymentSpec(spec) });
    } finally {
      this.#beginning.delete(name);
    }
    return this.get(name);
  }

  /** Merge patch over `{metadata, spec}`. With `dryRun` nothing changes, and the answer shows what would be. */
  async patch(name: string, patch: JsonObject, { dryRun }: { dryRun: boolean }): Promise<DeploymentView> {
    const before = this.#living(name);
    if (!isObject(patch['spec']) && !isObject(patch['metadata'])) throw invalid('no valid field to update');
    const spec = mergePatch(before.spec, objectAt(patch, 'spec'));
    checkDeploymentSpec(spec);
    const metadata = mergePatch(before.metadata, objectAt(patch, 'metadata'));
    for (const key of platformKeys) delete metadata[key];
    const { idleAt, ...awake } = before;
    const scaled = 'min_replicas' in objectAt(objectAt(patch, 'spec'), 'resource_requirement');
    const kept = scaled || idleAt === undefined ? awake : before;
    const after = { ...kept, spec, metadata, version: before.version + 1, modifiedAt: this.#context.now() };
    if (dryRun) return { ...this.#view(before), record: after };
    await this.#context.state.deployments.put(name, after);
    if (desiredReplicas(after) !== desiredReplicas(before))
      this.#context.runtime.scaleDeployment(name, desiredReplicas(after));
    return this.get(name);
  }

  async restart(name: string): Promise<DeploymentView> {
    const { idleAt, ...record } = this.#living(name);
    await this.#context.state.deployments.put(name, {
      ...record,
      events: [...withState(record.events, { at: this.#context.now(), state: 'Restarted', message: undefined })],
    });
    if (idleAt !== undefined) this.#context.runtime.scaleDeployment(name, minReplicas(record.spec));
    this.#context.runtime.restartDeployment(name);
    return this.get(name);
  }

  /** Resolves once the deletion is decided (on disk); the runtime ends it in the background. */
  async delete(name: string): Promise<void> {
    const record = this.#record(name);
    if (record.deletedAt !== undefined) return;
    await this.#context.state.deployments.put(name, { ...record, deletedAt: this.#context.now() });
    this.#endInBackground(name);
  }

  /** Writes state changes into the histories. Called every moment. */
  observe(): void {
    for (const view of this.list()) this.#note(view);
  }

  /** Scales to zero what has been without traffic for too long. Called every moment. */
  async scaleDownIdle(): Promise<void> {
    const at = this.#context.now();
    for (const { record } of await this.#idle.overdue(this.list(), at)) {
      const now = this.#context.state.deployments.get(record.name);
      if (now === undefined || now.deletedAt !== undefined || now.version !== record.version) continue;
      await this.#context.state.deployments.put(record.name, { ...now, idleAt: at });
      this.#context.log('deployment scaled to zero', { deployment: record.name, message: idleMessage(record.spec) });
      this.#context.runtime.scaleDeployment(record.name, 0);
    }
  }

  mounts(): readonly SpecMount[] {
    return this.#context.state.deployments.values().flatMap((record) => asDeploymentSpec(record.spec).mounts ?? []);
  }

  #note({ record, observed: { state, message, notes } }: DeploymentView): void {
    const at = this.#context.now();
    const events = withState(withNotes(record.events, { at, notes }), { at, state, message });
    if (events === record.events) return;
    this.#context.background(this.#context.state.deployments.put(record.name, { ...record, events: [...events] }));
  }

  #record(name: string): DeploymentRecord {
    const record = this.#context.state.deployments.get(name);
    if (record === undefined) throw notFound(`deployment ${name} was not found`);
    return record;
  }

  #living(name: string): DeploymentRecord {
    const record = this.#record(name);
    if (record.deletedAt !== undefined) throw conflict(`deployment ${name} is being deleted`);
    return record;
  }

  #view(record: DeploymentRecord): DeploymentView {
    const observed: DeploymentObservation = this.#beginning.has(record.name)
      ? { state: 'Starting', url: undefined, readyReplicas: 0, message: undefined }
      : this.#context.runtime.observeDeployment(record.name);
    if (record.deletedAt === undefined && record.idleAt !== undefined)
      return { record, observed: { ...observed, message: idleMessage(record.spec) } };
    if (record.deletedAt === undefined) return { record, observed };
    return { record, observed: { ...observed, state: 'Deleting', readyReplicas: 0 } };
  }

  #endInBackground(name: string): void {
    this.#context.background(this.#end(name));
  }

  async #end(name: string): Promise<void> {
    const { runtime, state, closing } = this.#context;
    while (!closing.aborted) {
      try {
        await runtime.deleteDeployment(name);
        if (closing.aborted) return; // the next start ends it again, which is then quick
        const record = state.deployments.get(name);
        await state.deployments.remove(name);
        await this.#context.releaseMounts(asDeploymentSpec(record?.spec ?? {}).mounts ?? []);
        return;
      } catch (error) {
        this.#context.log(`deployment ${name} could not be ended yet`, { error: String(error) });
        await sleep(deletionRetryMs, undefined, { signal: closing }).catch(() => undefined);
      }
    }
  }
}

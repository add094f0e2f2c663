import { setTimeout as sleep } from 'node:timers/promises';
import { isPlainObject } from '../../support/plain-object';
import { conflict, invalid, notFound } from '../api-error';
import { numberAt, objectAt, type JsonObject } from '../json';
import { mergePatch } from '../merge-patch';
import type { DeploymentObservation, DeploymentSpecBody, SpecMount } from '../runtime';
import type { DeploymentRecord } from '../state/records';
import type { WorkspaceContext } from './context';
import { withNotes, withState } from './history';
import { IdleWatch, idleMessage } from './idle';
import { readPosted, withoutPlatformKeys } from './posted-resource';
import { generatedToken, withoutGenerated, withoutHidden } from './generated-token';
import { checkDeploymentSpec } from './spec-rules';

/** A deployment now: what was posted, and what the runtime observes. */
export interface DeploymentView {
  readonly record: DeploymentRecord;
  readonly observed: DeploymentObservation;
}

const deletionRetryMs = 2_000;

export const minReplicas = (spec: JsonObject): number =>
  numberAt(objectAt(spec, 'resource_requirement'), 'min_replicas') ?? 1;

/** Returns the number of replicas that the deployment has or is changing to. */
export const desiredReplicas = ({ spec, idleAt }: DeploymentRecord): number =>
  idleAt === undefined ? minReplicas(spec) : 0;

const withoutMark = ({ hasGeneratedToken: _, ...record }: DeploymentRecord): DeploymentRecord => record;

export const asDeploymentSpec = (spec: JsonObject): DeploymentSpecBody => spec;

export class Deployments {
  readonly #context: WorkspaceContext;
  /** Names that are reserved and visible, but not on disk yet and unknown to the runtime. */
  readonly #beingCreated = new Set<string>();
  readonly #idle: IdleWatch;

  constructor(context: WorkspaceContext) {
    this.#context = context;
    this.#idle = new IdleWatch((name) => context.runtime.lastRequestAt(name));
  }

  /** Resumes deletions and stops that a kill interrupted. Called once, after the runtime has started. */
  resume(): void {
    for (const record of this.#context.state.deployments.values()) {
      if (record.deletedAt !== undefined) this.#removeInBackground(record.name);
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

  /**
   * Throws 400 or 409. Resolves once the deployment is on disk and the runtime is starting it. Only this view shows a generated
   * token.
   */
  async create(posted: JsonObject): Promise<DeploymentView> {
    const { name, metadata, spec: asPosted } = readPosted('deployment', posted, checkDeploymentSpec);
    if (this.#context.state.deployments.get(name) !== undefined) throw conflict(`deployment ${name} already exists`);
    const at = this.#context.now();
    const token = generatedToken(asPosted, this.#context.flags);
    const spec = token === undefined ? asPosted : { ...asPosted, api_tokens: [{ value: token }] };
    const record: DeploymentRecord = {
      name,
      metadata,
      spec,
      createdAt: at,
      modifiedAt: at,
      version: 1,
      ...(token === undefined ? {} : { hasGeneratedToken: true }),
      events: [{ at, type: 'Normal', reason: 'Created' }],
    };
    this.#beingCreated.add(name);
    try {
      await this.#context.state.deployments.put(name, record);
      this.#context.runtime.createDeployment({ name, spec: asDeploymentSpec(spec) });
    } finally {
      this.#beingCreated.delete(name);
    }
    return { ...this.get(name), record };
  }

  /** Applies a merge patch to `{metadata, spec}`. With `dryRun` nothing changes; the result shows what would. */
  async patch(name: string, patch: JsonObject, { dryRun }: { dryRun: boolean }): Promise<DeploymentView> {
    const before = this.#notDeleted(name);
    if (!isPlainObject(patch['spec']) && !isPlainObject(patch['metadata'])) throw invalid('no valid field to update');
    const change = withoutHidden(objectAt(patch, 'spec'));
    const spec = mergePatch(before.spec, change);
    checkDeploymentSpec(spec);
    const metadata = withoutPlatformKeys(mergePatch(before.metadata, objectAt(patch, 'metadata')));
    const { idleAt, ...awake } = 'api_tokens' in change ? withoutMark(before) : before;
    const scaled = 'min_replicas' in objectAt(objectAt(patch, 'spec'), 'resource_requirement');
    const kept = scaled || idleAt === undefined ? awake : { ...awake, idleAt };
    const after = { ...kept, spec, metadata, version: before.version + 1, modifiedAt: this.#context.now() };
    if (dryRun) return { ...this.#view(before), record: withoutGenerated(after) };
    await this.#context.state.deployments.put(name, after);
    if (desiredReplicas(after) !== desiredReplicas(before))
      this.#context.runtime.scaleDeployment(name, desiredReplicas(after));
    return this.get(name);
  }

  async restart(name: string): Promise<DeploymentView> {
    const { idleAt, ...record } = this.#notDeleted(name);
    await this.#context.state.deployments.put(name, {
      ...record,
      events: [...withState(record.events, { at: this.#context.now(), state: 'Restarted', message: undefined })],
    });
    if (idleAt !== undefined) this.#context.runtime.scaleDeployment(name, minReplicas(record.spec));
    this.#context.runtime.restartDeployment(name);
    return this.get(name);
  }

  /** Resolves once the deletion is recorded on disk; the runtime ends the deployment in the background. */
  async delete(name: string): Promise<void> {
    const record = this.#record(name);
    if (record.deletedAt !== undefined) return;
    await this.#context.state.deployments.put(name, { ...record, deletedAt: this.#context.now() });
    this.#removeInBackground(name);
  }

  /** Records state changes in the histories. Called periodically. */
  observe(): void {
    for (const view of this.list()) this.#recordEvents(view);
  }

  /** Scales deployments to zero that have had no traffic for too long. Called periodically. */
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

  #recordEvents({ record: shown, observed: { state, message, notes } }: DeploymentView): void {
    const record = this.#context.state.deployments.get(shown.name);
    if (record === undefined) return;
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

  #notDeleted(name: string): DeploymentRecord {
    const record = this.#record(name);
    if (record.deletedAt !== undefined) throw conflict(`deployment ${name} is being deleted`);
    return record;
  }

  #view(stored: DeploymentRecord): DeploymentView {
    const record = withoutGenerated(stored);
    const observed: DeploymentObservation = this.#beingCreated.has(record.name)
      ? { state: 'Starting', url: undefined, readyReplicas: 0, message: undefined }
      : this.#context.runtime.observeDeployment(record.name);
    if (record.deletedAt === undefined && record.idleAt !== undefined)
      return { record, observed: { ...observed, message: idleMessage(record.spec) } };
    if (record.deletedAt === undefined) return { record, observed };
    return { record, observed: { ...observed, state: 'Deleting', readyReplicas: 0 } };
  }

  #removeInBackground(name: string): void {
    this.#context.background(this.#remove(name));
  }

  async #remove(name: string): Promise<void> {
    const { runtime, state, closing } = this.#context;
    while (!closing.aborted) {
      try {
        await runtime.deleteDeployment(name);
        if (closing.aborted) return; // the next start repeats the deletion
        const record = state.deployments.get(name);
        await state.deployments.remove(name);
        await this.#context.releaseMounts(asDeploymentSpec(record?.spec ?? {}).mounts ?? []);
        return;
      } catch (error) {
        this.#context.log(`deployment ${name} could not be deleted; trying again`, { error: String(error) });
        await sleep(deletionRetryMs, undefined, { signal: closing }).catch(() => undefined);
      }
    }
  }
}

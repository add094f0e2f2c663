import { sharedPosition } from '../contract/identity';
import type { TaskSnapshot } from '../contract/state';
import { usageKnown } from './usage-known';

/** The run's snapshots of its shared endpoints, by position. */
export class SharedProgress {
  private readonly endpoints: TaskSnapshot[];
  private readonly over = new Set<number>();

  /** `onChange` is called when one has changed. */
  constructor(
    endpoints: readonly TaskSnapshot[],
    private readonly onChange: (position: number, snapshot: TaskSnapshot) => void,
  ) {
    this.endpoints = [...endpoints];
  }

  get all(): readonly TaskSnapshot[] {
    return this.endpoints;
  }

  /** Throws if there is none. */
  at(position: number): TaskSnapshot {
    const found = this.endpoints[position];
    if (!found) throw new Error(`no shared endpoint ${position} in this run`);
    return found;
  }

  change(position: number, change: Partial<TaskSnapshot>): void {
    const after = { ...this.at(position), ...change };
    this.endpoints[position] = after;
    this.onChange(position, after);
  }

  /** Takes the final snapshot of one: what arrives later is older. */
  end(position: number, snapshot: TaskSnapshot): void {
    this.over.add(position);
    // The endpoint's own workflow does not know when it began to cost.
    this.change(position, { ...snapshot, usage: usageKnown(this.at(position), snapshot) });
  }

  /** Whether the index that news carries is that of a shared endpoint. */
  has(index: number): boolean {
    const position = sharedPosition(index);
    return position !== undefined && this.endpoints[position] !== undefined;
  }

  /** Takes news, by index. */
  hear(index: number, told: TaskSnapshot | ((before: TaskSnapshot) => TaskSnapshot)): void {
    const position = sharedPosition(index) ?? 0;
    if (this.over.has(position)) return;
    const before = this.at(position);
    this.change(position, typeof told === 'function' ? told(before) : { ...told, usage: usageKnown(before, told) });
  }
}

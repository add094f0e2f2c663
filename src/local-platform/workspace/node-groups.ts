import { randomBytes } from 'node:crypto';
import { notFound } from '../api-error';
import type { NodeGroupRecord, PlatformState } from '../state/records';

/** The node groups of a state folder. The first use of the folder creates one, with this machine as its node. */
export class NodeGroups {
  readonly #state: PlatformState;

  private constructor(state: PlatformState) {
    this.#state = state;
  }

  static async open(state: PlatformState): Promise<NodeGroups> {
    if (state.nodeGroups.size === 0) {
      const name = 'local';
      const id = `${name}-${randomBytes(4).toString('hex')}`;
      const nodes = [{ id: `node-${randomBytes(4).toString('hex')}` }];
      await state.nodeGroups.put(id, { id, name, createdAt: state.createdAt, nodes });
    }
    return new NodeGroups(state);
  }

  list(): NodeGroupRecord[] {
    return this.#state.nodeGroups.values().sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Throws 404. */
  get(id: string): NodeGroupRecord {
    const found = this.#state.nodeGroups.get(id);
    if (found === undefined) throw notFound(`node group ${id} was not found`);
    return found;
  }
}

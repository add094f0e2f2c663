/** Collects problems about values of a loaded config, each with its place. */
import { ConfigError, placeOf } from '../problems';
import type { ConfigProblem } from '../problems';
import { nearestNodeAt, nodeAt, placeOfNode } from '../tree';
import type { ConfigNode, Path } from '../tree';

export class Report {
  private readonly problems: ConfigProblem[] = [];

  constructor(readonly root: ConfigNode) {}

  add(path: string, message: string, hint?: string): void {
    const keys = path === '' ? [] : path.split('.');
    const place = placeOf(placeOfNode(nearestNodeAt(this.root, keys)));
    this.problems.push({ ...place, path, message, ...(hint === undefined ? {} : { hint }) });
  }

  node(path: Path): ConfigNode | undefined {
    return nodeAt(this.root, path);
  }

  throwIfAny(): void {
    if (this.problems.length > 0) throw new ConfigError(this.problems);
  }
}

/** Collects problems about values of a loaded config, each with its origin. */
import { ConfigError, placeOf, withoutRepeats } from '../yaml/problems';
import type { ConfigProblem, Origin } from '../yaml/problems';
import { nearestNodeAt, nodeAt, placeOfNode } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

export class ProblemReport {
  private readonly problems: ConfigProblem[];

  /** `pathAsWritten`: see `VariantConfig`. `into`: a report to which problems are added. */
  constructor(
    readonly root: ConfigNode,
    private readonly pathAsWritten: (path: string) => string = (path) => path,
    into?: ProblemReport,
  ) {
    this.problems = into?.problems ?? [];
  }

  add(path: string, message: string, hint?: string): void {
    const keys = path === '' ? [] : path.split('.');
    const place = placeOf(this.originOf(keys));
    const written = path === '' ? path : this.pathAsWritten(path);
    this.problems.push({ ...place, path: written, message, ...(hint === undefined ? {} : { hint }) });
  }

  /** Like `add`, unless the same was added for the same path already. */
  addOnce(path: string, message: string, hint?: string): void {
    const written = this.pathAsWritten(path);
    const isKnown = this.problems.some((known) => known.path === written && known.message === message);
    if (!isKnown) this.add(path, message, hint);
  }

  /** Returns a place that the user can edit: for a value from a preset, the enclosing section in the user's file. */
  private originOf(keys: readonly string[]): Origin | undefined {
    const nearest = placeOfNode(nearestNodeAt(this.root, keys));
    for (let length = keys.length; length >= 0 && nearest?.preset === true; length--) {
      const origin = placeOfNode(nodeAt(this.root, keys.slice(0, length)));
      if (origin !== undefined && origin.preset !== true) return origin;
    }
    return nearest;
  }

  node(path: Path): ConfigNode | undefined {
    return nodeAt(this.root, path);
  }

  /** Returns a report for a section that is checked as another one: what is said of `from` is said of `to`. */
  moved(from: string, to: string): ProblemReport {
    return new MovedReport(this, from, to);
  }

  throwIfAny(): void {
    if (this.problems.length > 0) throw new ConfigError(withoutRepeats(this.problems));
  }
}

class MovedReport extends ProblemReport {
  constructor(
    private readonly whole: ProblemReport,
    private readonly from: string,
    private readonly to: string,
  ) {
    super(whole.root);
  }

  override add(path: string, message: string, hint?: string): void {
    this.whole.add(this.there(path), this.there(message), hint === undefined ? undefined : this.there(hint));
  }

  override addOnce(path: string, message: string, hint?: string): void {
    this.whole.addOnce(this.there(path), this.there(message), hint === undefined ? undefined : this.there(hint));
  }

  override node(path: Path): ConfigNode | undefined {
    return this.whole.node(path[0] === this.from ? [...this.to.split('.'), ...path.slice(1)] : path);
  }

  override throwIfAny(): void {
    this.whole.throwIfAny();
  }

  private there(text: string): string {
    return text.replaceAll(new RegExp(`(?<![\\w.])${this.from}\\.`, 'g'), `${this.to}.`);
  }
}

import {
  grantOf,
  inUse,
  noClaims,
  waitingOf,
  withClaim,
  withFindings,
  heldBy,
  stillLost,
  type Claim,
  type Finding,
  type Grant,
  type QuotaState,
} from '../../../src/contract/endpoint-quota';
import { withGrants } from '../../../src/contract/quota-grants';
import {
  claimIn,
  closed,
  emptyShare,
  freeIn,
  hasBegun,
  settled,
  withGrant,
  type Share,
} from '../../../src/contract/quota-share';

/**
 * Random runs share a quota; their messages are delayed, repeated and overtake each other; tasks end, runs die, and leave endpoints
 * behind, in any order. There are never more endpoints than the limit, and as long as a run waits something can still happen.
 */

type Random = (below: number) => number;

/** Mulberry32: a failure names its seed. */
function randomOf(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A run as its workflow behaves. */
class ModelRun {
  share: Share;
  isDead = false;
  isOver = false;
  /** Endpoints that exist. */
  live = { shared: 0, tasks: 0 };
  /** Left behind by teardowns. */
  readonly stranded = new Set<string>();
  private unbegun: number;
  private wave = 0;

  constructor(
    readonly name: string,
    readonly shape: {
      readonly shared: number;
      readonly tasks: number;
      readonly width: number;
      readonly isWhole: boolean;
    },
  ) {
    this.share = emptyShare({ serving: shape.shared, isWhole: shape.isWhole });
    this.unbegun = shape.tasks;
    this.openWave();
  }

  get claim(): Claim {
    const { share, name, isOver, shape } = this;
    const over = isOver ? { isOver: true as const } : {};
    const platform = { kind: 'local', workspace: 'local' } as const;
    return {
      ...{ invocation: name, runId: name, tasks: shape.tasks, shared: shape.shared, platform },
      ...claimIn(share),
      ...over,
    };
  }

  get endpoints(): number {
    return this.live.shared + this.live.tasks + this.stranded.size;
  }

  /** What has to come together at some time. */
  get peak(): number {
    const { shared, tasks, width, isWhole } = this.shape;
    return shared + (isWhole ? Math.min(width, tasks) : Math.min(1, tasks));
  }

  hear(grant: Grant): void {
    if (this.isDead || this.isOver) return;
    this.share = withGrant(this.share, grant);
    this.goOn();
  }

  /** A task's workflow ends, its endpoint gone or left behind. */
  endTask(left: readonly string[]): void {
    this.live = { ...this.live, tasks: this.live.tasks - 1 };
    for (const name of left) this.stranded.add(name);
    if (this.isDead) return;
    const taken = this.share.taken - 1;
    this.share = settled(this.share, { taken, lost: [...this.share.lost, ...left], demand: this.demandWith(taken) });
    if (taken === 0 && this.shape.isWhole) this.openWave();
    this.goOn();
  }

  endShared(): void {
    this.live = { ...this.live, shared: this.live.shared - 1 };
    if (this.isDead) return;
    this.share = settled(this.share, { serving: this.share.serving - 1 });
  }

  get mayEndShared(): boolean {
    return this.live.shared > 0 && (this.isDead || (this.share.taken === 0 && this.unbegun === 0 && this.wave === 0));
  }

  get mayClose(): boolean {
    return (
      !this.isDead && !this.isOver && this.unbegun === 0 && this.wave === 0 && this.live.tasks + this.live.shared === 0
    );
  }

  close(): void {
    this.isOver = true;
    this.share = closed(this.share);
  }

  private demandWith(taken: number): number {
    const { width, isWhole, shared } = this.shape;
    if (!isWhole) return Math.min(width, taken + this.unbegun);
    return Math.max(taken + this.wave, shared > 0 ? Math.min(width, this.unbegun) : 0);
  }

  private openWave(): void {
    if (this.shape.isWhole) {
      this.wave = Math.min(this.shape.width, this.unbegun);
      this.unbegun -= this.wave;
    }
    this.share = settled(this.share, { demand: this.demandWith(0) });
  }

  private goOn(): void {
    if (!hasBegun(this.share)) return;
    if (this.live.shared === 0 && this.share.taken === 0) this.live = { ...this.live, shared: this.share.serving };
    const { isWhole, width } = this.shape;
    const more = isWhole ? this.wave : Math.min(freeIn(this.share), this.unbegun, width - this.share.taken);
    if (isWhole) this.wave = 0;
    else this.unbegun -= more;
    this.live = { ...this.live, tasks: this.live.tasks + more };
    this.share = { ...this.share, taken: this.share.taken + more };
  }
}

const optional = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value]);

class Model {
  quota: QuotaState;
  readonly runs: ModelRun[];
  private names = 0;
  private readonly toQuota: Claim[] = [];
  private readonly toRuns: { readonly run: ModelRun; readonly grant: Grant }[] = [];

  constructor(
    private readonly random: Random,
    readonly limit: number,
  ) {
    this.quota = { ...noClaims, limit };
    this.runs = Array.from({ length: 2 + random(5) }, (_, number) => {
      for (;;) {
        const shape = {
          ...{ shared: random(3) === 0 ? 1 + random(2) : 0, tasks: random(12), width: 1 + random(8) },
          isWhole: random(2) === 0,
        };
        const run = new ModelRun(`run-${number}`, shape);
        if (run.peak > 0 && run.peak <= limit) return run;
      }
    });
  }

  get live(): number {
    return this.runs.reduce((sum, { endpoints }) => sum + endpoints, 0);
  }

  /** Everything that may happen next. */
  get events(): (() => void)[] {
    const { random } = this;
    return [
      ...this.toQuota.map((_, at) => () => this.deliverClaim(at)),
      ...this.toRuns.map((_, at) => () => this.deliverGrant(at)),
      ...this.runs.flatMap((run) => [
        ...(run.live.tasks > 0
          ? [() => this.telling(run, () => run.endTask(random(12) === 0 ? [`e${(this.names += 1)}`] : []))]
          : []),
        ...(run.mayEndShared ? [() => this.telling(run, () => run.endShared())] : []),
        ...(run.mayClose ? [() => this.telling(run, () => run.close())] : []),
        ...(run.stranded.size > 0 ? [() => run.stranded.clear()] : []),
        ...optional(this.findingOf(run)).map((finding) => () => this.reconcile(finding)),
      ]),
    ];
  }

  begin(run: ModelRun): void {
    this.toQuota.push(run.claim);
  }

  kill(run: ModelRun): void {
    if (!run.isOver) run.isDead = true;
  }

  /** A run's message may be sent twice. */
  private telling(run: ModelRun, change: () => void): void {
    const before = run.share.version;
    change();
    if (run.isDead || run.share.version === before) return;
    this.toQuota.push(run.claim, ...(this.random(5) === 0 ? [run.claim] : []));
  }

  private deliverClaim(at: number): void {
    const [claim] = this.toQuota.splice(at, 1);
    if (!claim) return;
    const before = this.quota;
    this.quota = withGrants(withClaim(before, claim));
    for (const run of this.runs) this.tell(run, before);
  }

  private deliverGrant(at: number): void {
    const [message] = this.toRuns.splice(at, 1);
    if (message) this.telling(message.run, () => message.run.hear(message.grant));
  }

  /** What looking at the platform would tell; all tasks of a dead run must be over before. */
  private findingOf({ isDead, isOver, live, name, endpoints, stranded }: ModelRun): Finding | undefined {
    const account = this.quota.accounts.find(({ invocation }) => invocation === name);
    if (account === undefined) return undefined;
    if (isDead || isOver) {
      if (live.tasks + live.shared > 0 || (account.isOver && heldBy(account) === endpoints)) return undefined;
      return { kind: 'over', invocation: name, endpoints };
    }
    const names = stillLost(account).filter((one) => !stranded.has(one));
    return names.length === 0 ? undefined : { kind: 'gone', invocation: name, names };
  }

  private reconcile(finding: Finding): void {
    const before = this.quota;
    this.quota = withGrants(withFindings(before, [finding]));
    for (const other of this.runs) this.tell(other, before);
  }

  private tell(run: ModelRun, before: QuotaState): void {
    const grant = grantOf(this.quota, run.name);
    const earlier = grantOf(before, run.name);
    if (
      grant &&
      (grant.granted !== earlier?.granted ||
        grant.due !== earlier.due ||
        grant.gone !== earlier.gone ||
        this.random(6) === 0)
    )
      this.toRuns.push({ run, grant });
  }
}

function play(seed: number): void {
  const random = randomOf(seed);
  const model = new Model(random, 1 + random(10));
  const waiting = [...model.runs];
  for (let step = 0; ; step += 1) {
    if (step > 20_000) throw new Error(`seed ${seed}: does not end`);
    const next = waiting[0];
    const { events } = model;
    if (next && (events.length === 0 || random(8) === 0)) {
      waiting.shift();
      model.begin(next);
    } else if (random(60) === 0) {
      model.kill(model.runs[random(model.runs.length)] as ModelRun);
    } else {
      const event = events[random(events.length)];
      if (event === undefined) break;
      event();
    }
    // What the quota counts may be late, but never too low.
    if (model.live > model.limit || inUse(model.quota) > model.limit)
      throw new Error(
        `seed ${seed}, step ${step}: ${model.live} endpoints, ${inUse(model.quota)} counted, ${model.limit} allowed`,
      );
  }
  const stuck = model.runs.filter(({ isDead, isOver }) => !isDead && !isOver);
  if (stuck.length > 0 || waitingOf(model.quota).length > 0 || inUse(model.quota) > 0)
    throw new Error(`seed ${seed}: stuck ${JSON.stringify({ stuck, quota: model.quota }, null, 1)}`);
}

test('never above the limit, never all waiting', () => {
  for (let seed = 1; seed <= 400; seed += 1) play(seed);
});

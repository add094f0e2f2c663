import type { SharedUrls } from '../contract/messages';
import type { TaskPlan } from '../contract/plan';
import type { SharedState, TaskError } from '../contract/state';

/** What a run or batch knows about the run's shared endpoints, as its tasks need it. */
export class SharedStates {
  constructor(private states: readonly SharedState[]) {}

  get all(): readonly SharedState[] {
    return this.states;
  }

  /** One that failed stays failed: news of different workflows may overtake each other. */
  set(position: number, state: SharedState): void {
    this.states = this.states.map((known, at) => (at === position && known.kind !== 'failed' ? state : known));
  }

  replace(states: readonly SharedState[]): void {
    for (const [position, state] of states.entries()) this.set(position, state);
  }

  /** Whether all that the task uses are Ready. */
  areReadyFor({ uses = [] }: TaskPlan): boolean {
    return uses.every(({ endpoint }) => this.states[endpoint]?.kind === 'ready');
  }

  /** URLs of those that the task uses and that are Ready. */
  urlsFor({ uses = [] }: TaskPlan): SharedUrls {
    return Object.fromEntries(
      uses.flatMap(({ endpoint }) => {
        const state = this.states[endpoint];
        return state?.kind === 'ready' ? [[endpoint, state.url] as const] : [];
      }),
    );
  }

  /** Why the task can't go on; `undefined`: it can. */
  lossFor({ uses = [] }: TaskPlan): TaskError | undefined {
    for (const { endpoint } of uses) {
      const state = this.states[endpoint];
      if (state?.kind === 'failed') return state.error;
    }
    return undefined;
  }
}

/** A state and how long it lasts; the last step lasts for ever. */
export interface Step {
  readonly state: string;
  /** Milliseconds; `undefined` only for the last step. */
  readonly ms: number | undefined;
  /** Shown with the state. */
  readonly message: string | undefined;
}

export interface Moment {
  readonly step: Step;
  /** Milliseconds from the beginning to when this step began. */
  readonly since: number;
  readonly isLast: boolean;
}

/** Returns every step that has begun after `elapsed` milliseconds, in order: at least the first. Pure. */
export function momentsUntil(steps: readonly Step[], elapsed: number): readonly [Moment, ...Moment[]] {
  const [first, ...rest] = steps;
  if (first === undefined) throw new RangeError('a timeline needs a step');
  const moments: [Moment, ...Moment[]] = [{ step: first, since: 0, isLast: rest.length === 0 }];
  let since = first.ms ?? Infinity;
  for (const [index, step] of rest.entries()) {
    if (elapsed < since) break;
    moments.push({ step, since, isLast: index === rest.length - 1 });
    since += step.ms ?? Infinity;
  }
  return moments;
}

export const momentAt = (steps: readonly Step[], elapsed: number): Moment => {
  const moments = momentsUntil(steps, elapsed);
  return moments.at(-1) ?? moments[0];
};

/** Returns the milliseconds from the beginning to the last step. Pure. */
export const lengthOf = (steps: readonly Step[]): number =>
  steps.slice(0, -1).reduce((total, step) => total + (step.ms ?? 0), 0);

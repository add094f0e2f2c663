import { adviceFor } from '../lepton/advice';
import { messageOf } from '../support/error-message';
import { LeptonError } from '../lepton/lepton-error';

/** Result of one check. */
export interface Finding {
  /** What was checked: `credentials`, `node group`, … */
  readonly about: string;
  readonly level: Level;
  /** What was seen. */
  readonly message: string;
  /** What to do; may be empty, except for a FAIL. */
  readonly advice: string;
  /** Where a FAIL has to be fixed: in the config (exit code 2), or elsewhere (3). */
  readonly blame: 'config' | 'surroundings';
}

export type Level = 'ok' | 'warn' | 'FAIL';

export const ok = (about: string, message: string): Finding => ({
  about,
  level: 'ok',
  message,
  advice: '',
  blame: 'surroundings',
});

export const warn = (about: string, message: string, advice: string): Finding => ({
  ...ok(about, message),
  level: 'warn',
  advice,
});

export const fail = (about: string, message: string, advice: string): Finding => ({
  ...ok(about, message),
  level: 'FAIL',
  advice,
});

/** A FAIL caused by the config: it names something that doesn't exist. */
export const misfit = (about: string, message: string, advice: string): Finding => ({
  ...fail(about, message, advice),
  blame: 'config',
});

/** Formats a finding: one line, and a second one with the advice. Pure. */
export const findingText = ({ about, level, message, advice }: Finding): string =>
  `${level.padEnd(4)} ${about}: ${message}${advice === '' ? '' : `\n       → ${advice}`}`;

/** A workspace's answer, or why there is none. A missing answer never fails a run. */
export type Answer<T> =
  | { readonly kind: 'known'; readonly value: T }
  | { readonly kind: 'unknown'; readonly reason: string; readonly advice: string };

export async function answerOf<T>(ask: Promise<T>): Promise<Answer<T>> {
  try {
    return { kind: 'known', value: await ask };
  } catch (error) {
    const reason = messageOf(error);
    return {
      kind: 'unknown',
      reason,
      advice: error instanceof LeptonError ? adviceFor(error) : 'Try again later.',
    };
  }
}

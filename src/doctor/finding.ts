import { adviceFor } from '../lepton/advice';
import { messageOf } from '../support/error-message';
import { LeptonError } from '../lepton/lepton-error';

/** What one check has to say: one line each. */
export interface Finding {
  /** What was looked at: `credentials`, `node group`, … */
  readonly about: string;
  readonly level: Level;
  /** What was seen. */
  readonly message: string;
  /** What to do; empty when there is nothing to do, never empty of a FAIL. */
  readonly advice: string;
  /** Where a FAIL is mended: in the config (exit code 2), or around it (3). */
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

/** A FAIL of the config: what it names is not there. */
export const misfit = (about: string, message: string, advice: string): Finding => ({
  ...fail(about, message, advice),
  blame: 'config',
});

/** One line, and a second one with what to do. Pure. */
export const findingText = ({ about, level, message, advice }: Finding): string =>
  `${level.padEnd(4)} ${about}: ${message}${advice === '' ? '' : `\n       → ${advice}`}`;

/** What was asked of a workspace: an answer, or why there is none. A missing answer is never held against a run. */
export type Answer<T> =
  | { readonly kind: 'known'; readonly value: T }
  /** `advice`: what to do about it. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly advice: string };

export async function answerOf<T>(ask: Promise<T>): Promise<Answer<T>> {
  try {
    return { kind: 'known', value: await ask };
  } catch (error) {
    const reason = messageOf(error);
    return {
      kind: 'unknown',
      reason,
      advice: error instanceof LeptonError ? adviceFor(error) : 'Try again in a while.',
    };
  }
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { CancelledFailure } from '@temporalio/common';
import type { PlatformRef } from '../contract/plan';
import { maskSecrets } from '../secrets/masking';
import type { ActivityDependencies, SecretOwner } from './dependencies';

/**
 * Everything an activity says goes into workflow history, logs and the Web UI: no value of the run's secrets may be in it,
 * whoever quoted it, and history is no place for a platform's essays.
 */

/** Characters of one message. */
export const maxMessage = 2_000;
/** Of these, the end: it often holds the reason. */
const tailOfMessage = 400;

/** The message, shortened in the middle where it is long; whole characters only. Pure. */
export function boundedText(text: string, max = maxMessage): string {
  // A text that was cut elsewhere may end in half a character, which no UTF-8 can carry.
  const whole = (part: string): string => part.replace(/\p{Surrogate}/gu, '\ufffd');
  if (text.length <= max) return whole(text);
  const tail = Math.min(tailOfMessage, Math.floor(max / 4));
  const omitted = text.length - max;
  return whole(`${text.slice(0, max - tail)} [… ${omitted} characters …] ${text.slice(-tail)}`);
}

const current = new AsyncLocalStorage<readonly string[]>();

/** A text fit for history, with the secrets of the run whose activity this is masked. */
export function fitWords(text: string): string {
  // Bounded before and after: masking reads all of it, and a mask may be longer than what it covers.
  return boundedText(maskSecrets(boundedText(text, maxMessage * 10), current.getStore() ?? []));
}

/** Values that must not be said in this activity. */
export const unspeakable = (): readonly string[] => current.getStore() ?? [];

type Activity = (input: never) => Promise<unknown>;

/** The same activities, whose errors and texts are fit for history. */
export function withFitWords<T extends Readonly<Record<string, Activity>>>(
  activities: T,
  dependencies: Pick<ActivityDependencies, 'secretsOf'>,
): T {
  const guarded = Object.entries(activities).map(([name, activity]) => {
    const run = async (input: never): Promise<unknown> => {
      const owner = ownerIn(input);
      const secrets = owner === undefined ? [] : await dependencies.secretsOf(owner);
      return current.run(secrets, async () => {
        try {
          const result = await activity(input);
          return typeof result === 'string' ? fitWords(result) : result;
        } catch (error) {
          throw fitError(error);
        }
      });
    };
    return [name, run] as const;
  });
  return Object.fromEntries(guarded) as unknown as T;
}

/** Every activity's input names its run and platform, some below `run`. */
function ownerIn(input: unknown): SecretOwner | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  const own = input as { platform?: PlatformRef; invocation?: string; run?: unknown };
  if (own.platform !== undefined) return { platform: own.platform, invocation: own.invocation };
  return ownerIn(own.run);
}

/** The error's own words are replaced: its type and retry settings are the contract, and stay. */
function fitError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CancelledFailure) return error;
  error.message = fitWords(error.message);
  // A stack repeats the message, and whatever a library put into its own.
  error.stack = `${error.name}: ${error.message}`;
  if (error.cause !== undefined) Object.defineProperty(error, 'cause', { value: undefined });
  return error;
}

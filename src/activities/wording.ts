import { AsyncLocalStorage } from 'node:async_hooks';
import { CancelledFailure } from '@temporalio/common';
import type { PlatformRef } from '../contract/plan';
import { maskSecrets } from '../secrets/masking';
import type { ActivityDependencies, SecretOwner } from './dependencies';

/**
 * Texts of activities go into workflow history, logs and the Web UI, so they must not contain the run's secrets, whoever quoted
 * them, and their length is limited.
 */

/** Characters of one message. */
export const maxMessage = 2_000;
/** Of these, characters kept from the end, which often holds the reason. */
const tailOfMessage = 400;

/** Shortens a long message in the middle, never splitting a character. Pure. */
export function boundedText(text: string, max = maxMessage): string {
  // A text that was cut elsewhere may end in half a surrogate pair, which UTF-8 can't encode.
  const whole = (part: string): string => part.replace(/\p{Surrogate}/gu, '\ufffd');
  if (text.length <= max) return whole(text);
  const tail = Math.min(tailOfMessage, Math.floor(max / 4));
  const omitted = text.length - max;
  return whole(`${text.slice(0, max - tail)} [… ${omitted} characters …] ${text.slice(-tail)}`);
}

const current = new AsyncLocalStorage<readonly string[]>();

/** Masks the secrets of the current activity's run and limits the length, for use in history. */
export function fitForHistory(text: string): string {
  // Bounded before masking, which reads the whole text, and after, since a mask may be longer than the secret.
  return boundedText(maskSecrets(boundedText(text, maxMessage * 10), current.getStore() ?? []));
}

/** Returns the values to mask in this activity. */
export const secretsToMask = (): readonly string[] => current.getStore() ?? [];

type Activity = (input: never) => Promise<unknown>;

/** Wraps the activities so that their errors and texts are masked and bounded for history. */
export function withTextsFitForHistory<T extends Readonly<Record<string, Activity>>>(
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
          return typeof result === 'string' ? fitForHistory(result) : result;
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
  const own = input as { platform?: PlatformRef; invocation?: string; secretsAt?: string; run?: unknown };
  if (own.platform !== undefined)
    return { platform: own.platform, invocation: own.invocation, secretsAt: own.secretsAt };
  return ownerIn(own.run);
}

/** The error's own words are replaced: its type and retry settings are the contract, and stay. */
function fitError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CancelledFailure) return error;
  error.message = fitForHistory(error.message);
  // A stack repeats the message, and whatever a library put into its own.
  error.stack = `${error.name}: ${error.message}`;
  if (error.cause !== undefined) Object.defineProperty(error, 'cause', { value: undefined });
  return error;
}

import type { RuntimeNote } from '../runtime';
import type { StoredEvent } from '../state/records';

/** Longest history kept per resource; the oldest lines go first. */
const longestHistory = 200;

/** The history with a line for each note that it does not hold yet; the same one when there is none. Pure. */
export function withNotes(
  events: readonly StoredEvent[],
  { at, notes = [] }: { at: number; notes: readonly RuntimeNote[] | undefined },
): readonly StoredEvent[] {
  const isTold = ({ reason, message }: RuntimeNote): boolean =>
    events.some((event) => event.reason === reason && event.message === message);
  const untold = notes.filter((note) => !isTold(note));
  return untold.length === 0 ? events : [...events, ...untold.map((note) => ({ at, ...note }))].slice(-longestHistory);
}

/** The history with a line about the new state, or the same one when it already ends with that. Pure. */
export function withState(
  events: readonly StoredEvent[],
  seen: { at: number; state: string; message: string | undefined },
): readonly StoredEvent[] {
  const last = events.at(-1);
  if (last?.reason === seen.state && last.message === seen.message) return events;
  const type = seen.state === 'Error' || seen.state === 'Failed' ? 'Warning' : 'Normal';
  const line: StoredEvent = {
    at: seen.at,
    type,
    reason: seen.state,
    ...(seen.message === undefined ? {} : { message: seen.message }),
  };
  return [...events, line].slice(-longestHistory);
}

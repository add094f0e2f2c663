import type { RuntimeNote } from '../runtime';
import type { StoredEvent } from '../state/records';

/** How many events are kept per resource; the oldest are dropped first. */
const maxEvents = 200;

/** Adds an event for each note that the history doesn't have yet; returns the same array if there is none. Pure. */
export function withNotes(
  events: readonly StoredEvent[],
  { at, notes = [] }: { at: number; notes: readonly RuntimeNote[] | undefined },
): readonly StoredEvent[] {
  const isRecorded = ({ reason, message }: RuntimeNote): boolean =>
    events.some((event) => event.reason === reason && event.message === message);
  const added = notes.filter((note) => !isRecorded(note));
  return added.length === 0 ? events : [...events, ...added.map((note) => ({ at, ...note }))].slice(-maxEvents);
}

/** Adds an event for a new state; returns the same array if it already ends with that state. Pure. */
export function withState(
  events: readonly StoredEvent[],
  observed: { at: number; state: string; message: string | undefined },
): readonly StoredEvent[] {
  const last = events.at(-1);
  if (last?.reason === observed.state && last.message === observed.message) return events;
  const type = observed.state === 'Error' || observed.state === 'Failed' ? 'Warning' : 'Normal';
  const event: StoredEvent = {
    at: observed.at,
    type,
    reason: observed.state,
    ...(observed.message === undefined ? {} : { message: observed.message }),
  };
  return [...events, event].slice(-maxEvents);
}

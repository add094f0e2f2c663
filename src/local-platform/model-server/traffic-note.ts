import { utimesSync, writeFileSync } from 'node:fs';

/** As often as the file is touched at most, milliseconds: an evaluation asks hundreds of times a second. */
const leastGapMs = 500;

/** Creates `file` and gives what notes in its time that a request came. Traffic is all it tells: a failure to note is none. */
export function trafficNote(file: string): () => void {
  writeFileSync(file, '', { mode: 0o600 });
  let notedAt = 0;
  return () => {
    const now = Date.now();
    if (now - notedAt < leastGapMs) return;
    notedAt = now;
    try {
      utimesSync(file, now / 1_000, now / 1_000);
    } catch {
      // The folder is gone: the unit is being taken down.
    }
  };
}

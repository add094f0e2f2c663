import { utimesSync, writeFileSync } from 'node:fs';

/** Minimum time between two writes: an evaluation may send hundreds of requests a second. */
const minGapMs = 500;

/**
 * Creates `file` and returns a function that sets its modification time, to be called for each request. Failures are
 * ignored.
 */
export function trafficRecorder(file: string): () => void {
  writeFileSync(file, '', { mode: 0o600 });
  let touchedAt = 0;
  return () => {
    const now = Date.now();
    if (now - touchedAt < minGapMs) return;
    touchedAt = now;
    try {
      utimesSync(file, now / 1_000, now / 1_000);
    } catch {
      // The folder was removed: the deployment is being deleted.
    }
  };
}

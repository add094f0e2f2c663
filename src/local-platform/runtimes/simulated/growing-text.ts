import { setTimeout as sleep } from 'node:timers/promises';
import type { LogOptions } from '../../runtime';

const pollMs = 50;

/**
 * Streams a text that only grows: what there is now and, with `follow`, what is added until it has ended or the signal
 * aborts. Each chunk consists of whole characters.
 */
export async function* streamGrowingText(
  read: () => { text: string; ended: boolean },
  { follow, signal, from = 0 }: LogOptions,
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  let skip = from;
  for (;;) {
    const { text, ended } = read();
    const added = Buffer.from(text.slice(sent), 'utf8');
    if (added.length > skip) yield added.subarray(skip);
    skip = Math.max(0, skip - added.length);
    sent = text.length;
    if (!follow || ended || signal.aborted) return;
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

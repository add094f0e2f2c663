import { setTimeout as sleep } from 'node:timers/promises';
import type { LogOptions } from '../../runtime';

const lookEveryMs = 50;

/**
 * Streams a text that only ever grows: what there is, then, with `follow`, what is added until it has ended or the signal
 * aborts. Each piece is whole characters.
 */
export async function* streamGrowingText(
  look: () => { text: string; ended: boolean },
  { follow, signal, from = 0 }: LogOptions,
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  let skip = from;
  for (;;) {
    const { text, ended } = look();
    const added = Buffer.from(text.slice(sent), 'utf8');
    if (added.length > skip) yield added.subarray(skip);
    skip = Math.max(0, skip - added.length);
    sent = text.length;
    if (!follow || ended || signal.aborted) return;
    await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';

const lookEveryMs = 50;

/**
 * Streams a text that only ever grows: what there is, then, with `follow`, what is added until it has ended or the signal
 * aborts. Each piece is whole characters.
 */
export async function* streamGrowingText(
  look: () => { text: string; ended: boolean },
  { follow, signal }: { follow: boolean; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for (;;) {
    const { text, ended } = look();
    if (text.length > sent) yield Buffer.from(text.slice(sent), 'utf8');
    sent = text.length;
    if (!follow || ended || signal.aborted) return;
    await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

import type { Context } from 'hono';
import { wholeCharacters } from '../logs/whole-characters';
import type { LogOptions } from '../runtime';

export type LogSource = (options: LogOptions) => AsyncIterable<Uint8Array>;

/**
 * Streams a replica's log. As on the service, it goes on while the replica runs; `?follow=false` (our own addition) ends
 * with what there is now.
 */
export function logResponse(context: Context, source: LogSource, closing: AbortSignal): Response {
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, context.req.raw.signal, closing]);
  const pieces = wholeCharacters(source({ follow: context.req.query('follow') !== 'false', signal }));
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const piece = await pieces.next();
        if (piece.done === true) controller.close();
        else controller.enqueue(piece.value);
      } catch (error) {
        if (signal.aborted) controller.close();
        else controller.error(error);
      }
    },
    async cancel() {
      left.abort();
      await pieces.return(undefined).catch(() => undefined);
    },
  });
  return new Response(body, {
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  });
}

import type { Context } from 'hono';
import { wholeCharacters } from '../logs/whole-characters';
import type { LogOptions } from '../runtime';

export type LogSource = (options: LogOptions) => AsyncIterable<Uint8Array>;

/**
 * Streams a replica's log. As on the service, the stream lasts while the replica runs; `?follow=false`, which the
 * service doesn't have, ends it with what the log holds now.
 */
export function logResponse(context: Context, source: LogSource, closing: AbortSignal): Response {
  const cancelled = new AbortController();
  const signal = AbortSignal.any([cancelled.signal, context.req.raw.signal, closing]);
  const chunks = wholeCharacters(source({ follow: context.req.query('follow') !== 'false', signal }));
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const chunk = await chunks.next();
        if (chunk.done === true) controller.close();
        else controller.enqueue(chunk.value);
      } catch (error) {
        if (signal.aborted) controller.close();
        else controller.error(error);
      }
    },
    async cancel() {
      cancelled.abort();
      await chunks.return(undefined).catch(() => undefined);
    },
  });
  return new Response(body, {
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  });
}

import { z } from 'zod';
import { createHttp, type Http, type HttpSettings } from './http';
import { paceOf } from './pace';
import type { ChangeCalls, PlatformAccess } from './types';

const revisionsSchema = z.object({ deployments: z.string(), jobs: z.string() });

/** Milliseconds that the platform holds a question open, and that the answer may take beyond that. */
const waiting = { heldMs: 10_000, graceMs: 5_000 } as const;

/** Creates the call that waits for a change. It is no part of Lepton's API, and never sent to a platform on another machine. */
export function changeCalls(access: PlatformAccess, settings: HttpSettings): ChangeCalls {
  let http: Http | undefined;
  return {
    async nextChange(known, options) {
      if (paceOf(access.url) !== 'local') return undefined;
      http ??= createHttp(
        { ...access, url: new URL(access.url).origin },
        { ...settings, retry: undefined, limiter: undefined },
      );
      const answer = await http.json({
        method: 'GET',
        path: '/__sim/changes',
        query: { ...known, wait_ms: String(known ? waiting.heldMs : 0) },
        acceptedStatuses: [401, 403, 404, 405, 501],
        options: { timeoutMs: waiting.heldMs + waiting.graceMs, ...options },
      });
      const revisions = revisionsSchema.safeParse(answer);
      return revisions.success ? revisions.data : undefined;
    },
  };
}

import { z } from 'zod';
import { CredentialsError } from './lepton-error';
import { createHttp, type HttpSettings } from './http';
import { createRequests } from './requests';
import type { CallOptions, PlatformAccess } from './types';

/** Warn when less time is left. The service's own tool uses the same limit. */
const warnBeforeMs = 10 * 24 * 3_600_000;

/**
 * Returns a warning if the token expires within ten days; `undefined` if it lasts longer, or if its expiry is unknown.
 * Throws `CredentialsError` if it has expired: a run that cannot be torn down would leave endpoints behind.
 */
export function checkExpiry({
  expiresAt,
  source,
  now,
}: {
  expiresAt: Date | undefined;
  source: string;
  now: Date;
}): string | undefined {
  if (expiresAt === undefined) return undefined;
  const leftMs = expiresAt.getTime() - now.getTime();
  const when = expiresAt.toISOString();
  if (leftMs <= 0) {
    throw new CredentialsError(
      `the workspace token from ${source} expired at ${when}: issue a new one and log in again (lep login).`,
    );
  }
  if (leftMs >= warnBeforeMs) return undefined;
  const days = Math.floor(leftMs / (24 * 3_600_000));
  const left = days >= 1 ? `${days} day${days === 1 ? '' : 's'}` : `${Math.max(1, Math.floor(leftMs / 3_600_000))} h`;
  return `The workspace token from ${source} expires in ${left} (${when}). A run that lasts longer cannot be torn down: issue a new one soon.`;
}

const tokenSchema = z.looseObject({ masked_value: z.string(), expires_at: z.number().nullish() });

/**
 * Asks the workspace when this token expires: `GET /tokens` lists tokens as `abc…xyz`; of those that match, the earliest counts.
 * Resolves to `undefined` if it does not say. Rejects with `LeptonError`.
 */
export async function askTokenExpiry(
  access: PlatformAccess,
  settings: HttpSettings & CallOptions = {},
): Promise<Date | undefined> {
  const requests = createRequests(createHttp(access, settings), access, () => undefined);
  const tokens = await requests.list({ method: 'GET', path: '/tokens', options: settings }, tokenSchema);
  const times = tokens
    .filter(({ masked_value: masked }) => matches(access.token, masked))
    .flatMap(({ expires_at: at }) => at ?? []);
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

function matches(token: string, masked: string): boolean {
  const [start, end, ...rest] = masked.split(/\.{3}|…/);
  if (start === undefined || end === undefined || rest.length > 0 || start + end === '') return false;
  return token.length >= start.length + end.length && token.startsWith(start) && token.endsWith(end);
}

import { within } from '../../../support/within';

const TIMEOUT_MS = 5_000;

/** Returns whether the server answers with anything but a server error: even 401 or 404 shows that it is up. */
export async function isHealthy(url: string, token: string | undefined, signal: AbortSignal): Promise<boolean> {
  try {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    return await within({ ms: TIMEOUT_MS, signal }, async (bounded) => {
      const response = await fetch(url, { headers, signal: bounded });
      await response.body?.cancel();
      return response.status < 500;
    });
  } catch {
    return false;
  }
}

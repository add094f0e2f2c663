import { probeModel } from '../lepton/probe';
import type { RunPlan } from '../contract/plan';
import { masked, revealed } from '../contract/url-placeholders';
import { fail, ok, warn, type Finding } from './finding';

/** Checks whether the endpoint of `deployment: none` answers and serves the model; no findings for runs that deploy their own. */
export async function checkEndpoint(
  { endpoint }: Pick<RunPlan, 'endpoint'>,
  options: { readonly secrets: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<Finding[]> {
  if (endpoint.kind !== 'existing') return [];
  const about = 'endpoint';
  const { probe } = endpoint;
  const url = masked(endpoint.url);
  const reveal = (name: string): string => options.secrets[name] ?? '';
  const key = probe.token?.kind === 'host' ? (options.secrets[probe.token.name] ?? null) : null;
  try {
    const verdict = await probeModel({
      url: revealed(endpoint.url, reveal),
      kind: 'existing',
      probe,
      key,
      signal: options.signal,
    });
    switch (verdict.kind) {
      case 'ready': {
        const served = ok(about, `${url} serves ${probe.servedModel}`);
        const isBlind = probe.token?.kind === 'workspace';
        if (!isBlind) return [served];
        const message = `${url} answers; its key is a workspace secret, so whether the key is accepted is not known here`;
        return [{ ...served, message }];
      }
      case 'not yet':
        return [fail(about, `${url}: ${verdict.message}`, 'start it, or check target.api_endpoint.url')];
      case 'mismatch':
        return [fail(about, `${url}: ${verdict.message}`, 'correct target.api_endpoint in the config')];
    }
  } catch (error) {
    if (!options.signal.aborted) throw error;
    return [warn(about, `${url} took too long to answer`, 'the run waits for it; check that it is up')];
  }
}

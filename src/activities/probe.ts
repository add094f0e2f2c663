import type { ProbeSpec } from '../contract/plan';

export type ProbeVerdict =
  | { readonly kind: 'ready' }
  | { readonly kind: 'not yet'; readonly message: string }
  | { readonly kind: 'mismatch'; readonly message: string };

/** Milliseconds for a question that a healthy server answers from memory. Slow probes have been seen to take 3 s. */
const questionTimeoutMs = 10_000;
/** Milliseconds for the warm-up: the first request compiles and loads. */
const warmUpTimeoutMs = 60_000;

/**
 * Whether the server at `url` (base URL, or a full request URL of an existing endpoint) serves the model: health path,
 * `GET /v1/models`, the served name, one tiny request. `key` is sent as bearer where it is known; without it a 401 means
 * "up, and protected", which is all that can be known.
 */
export async function probeModel(options: {
  readonly url: string;
  readonly probe: ProbeSpec;
  readonly key: string | null;
  readonly signal: AbortSignal;
}): Promise<ProbeVerdict> {
  const { probe, key } = options;
  const base = baseUrl(options.url);
  const headers = key === null ? {} : { authorization: `Bearer ${key}` };
  const ask = (path: string, init: RequestInit = {}, timeoutMs = questionTimeoutMs) =>
    question(
      `${base}${path}`,
      { ...init, headers: { ...headers, 'content-type': 'application/json' } },
      { timeoutMs, signal: options.signal },
    );

  if (probe.healthPath !== null) {
    const health = await ask(probe.healthPath);
    const verdict = judge(health, probe.healthPath, { key, tolerate404: true });
    if (verdict) return verdict;
  }
  const models = await ask('/v1/models');
  const verdict = judge(models, '/v1/models', { key, tolerate404: false });
  if (verdict) return verdict;
  if (models.kind !== 'answer' || models.status !== 200) return { kind: 'ready' };
  const served = servedModels(models.body);
  if (served === undefined)
    return { kind: 'not yet', message: `GET /v1/models answers something that is not a list of models` };
  if (!served.includes(probe.servedModel)) {
    return {
      kind: 'mismatch',
      message: `the endpoint serves ${served.map((name) => `"${name}"`).join(', ') || 'no model'}, the run asks for "${probe.servedModel}". Set the same name on both sides (deployment.served_model_name, or target.api_endpoint.model_id for an existing endpoint).`,
    };
  }
  return warmUp(probe, ask);
}

async function warmUp(
  probe: ProbeSpec,
  ask: (path: string, init: RequestInit, timeoutMs: number) => Promise<Answer>,
): Promise<ProbeVerdict> {
  if (probe.warmUp === 'none') return { kind: 'ready' };
  const chat = probe.warmUp === 'chat';
  const path = chat ? '/v1/chat/completions' : '/v1/completions';
  const body = chat ? { messages: [{ role: 'user', content: 'Hi' }] } : { prompt: 'Hi' };
  const answer = await ask(
    path,
    { method: 'POST', body: JSON.stringify({ model: probe.servedModel, max_tokens: 1, ...body }) },
    warmUpTimeoutMs,
  );
  return judge(answer, path, { key: null, tolerate404: false }) ?? { kind: 'ready' };
}

type Answer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'silence'; readonly reason: string };

/** `undefined`: fine so far. */
function judge(
  answer: Answer,
  path: string,
  options: { key: string | null; tolerate404: boolean },
): ProbeVerdict | undefined {
  if (answer.kind === 'silence') return { kind: 'not yet', message: `${path} does not answer (${answer.reason})` };
  const { status } = answer;
  if (status < 300) return undefined;
  if (status === 401 || status === 403) {
    if (options.key === null) return undefined;
    return {
      kind: 'mismatch',
      message: `${path} refuses the key (${status}): check that deployment.lepton_config.api_tokens and target.api_endpoint.api_key_name name the same token`,
    };
  }
  if (status === 404 && options.tolerate404) return undefined;
  return { kind: 'not yet', message: `${path} answers ${status}` };
}

async function question(
  url: string,
  init: RequestInit,
  bounds: { timeoutMs: number; signal: AbortSignal },
): Promise<Answer> {
  const signal = AbortSignal.any([bounds.signal, AbortSignal.timeout(bounds.timeoutMs)]);
  try {
    const response = await fetch(url, { ...init, signal, redirect: 'manual' });
    const body = await response.text();
    return { kind: 'answer', status: response.status, body: body.slice(0, 1_000_000) };
  } catch (error) {
    if (bounds.signal.aborted) throw error;
    const cause = (error as { cause?: { code?: string } }).cause?.code;
    return { kind: 'silence', reason: cause ?? (error as Error).name };
  }
}

function servedModels(body: string): string[] | undefined {
  try {
    const parsed = JSON.parse(body) as { data?: { id?: unknown }[] };
    if (!Array.isArray(parsed.data)) return undefined;
    return parsed.data.map(({ id }) => id).filter((id): id is string => typeof id === 'string');
  } catch {
    return undefined;
  }
}

/** `http://h:80/v1/chat/completions?x=1` → `http://h:80`: what stands before `/v1`, without a trailing slash. Pure. */
export function baseUrl(url: string): string {
  const parsed = new URL(url);
  const path = parsed.pathname.replace(/\/+$/, '');
  const cut = path.search(/\/v1(\/|$)/);
  return `${parsed.protocol}//${parsed.host}${cut === -1 ? path : path.slice(0, cut)}`;
}

/** Addresses in Temporal's Web UI. Pure. */

export interface WebUiRequest {
  /** gRPC address of the server. */
  readonly address: string;
  readonly namespace: string;
  /** Base URL of the Web UI if it is known: the embedded server's, or `TEMPORAL_UI_URL`. */
  readonly base?: string | undefined;
  /** `undefined`: the list of workflows. */
  readonly workflowId?: string | undefined;
  /** Opens the page with the workflow's current details, which names one execution; default: the workflow's history. */
  readonly runId?: string | undefined;
}

/** Returns the base URL of the Web UI; `undefined` if it can't be known. */
function rootOf({ address, base }: Pick<WebUiRequest, 'address' | 'base'>): string | undefined {
  const isCloud = /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address);
  return base ?? (isCloud ? 'https://cloud.temporal.io' : undefined);
}

/** Returns the origins that pages of the Web UI may have: a server on loopback has two names. Empty if it can't be known. */
export function webUiOrigins(request: Pick<WebUiRequest, 'address' | 'base'>): string[] {
  const root = rootOf(request);
  if (root === undefined || !URL.canParse(root)) return [];
  const { origin, hostname, protocol, port } = new URL(root);
  return hostname === '127.0.0.1' ? [origin, `${protocol}//localhost:${port}`] : [origin];
}

/** Returns the address of a page; `null` if it can't be known (a self-hosted cluster without `TEMPORAL_UI_URL`). */
export function webUiUrl({ address, namespace, base, workflowId, runId }: WebUiRequest): string | null {
  const root = rootOf({ address, base });
  if (root === undefined) return null;
  const list = `${root.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows`;
  if (workflowId === undefined) return list;
  const page = `${list}/${encodeURIComponent(workflowId)}`;
  return runId === undefined ? page : `${page}/${encodeURIComponent(runId)}/user-metadata`;
}

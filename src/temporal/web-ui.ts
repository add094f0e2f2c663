/** Where a person can look at a workflow. Pure. */

export interface WebUiRequest {
  /** gRPC address of the server. */
  readonly address: string;
  readonly namespace: string;
  /** Base URL of the Web UI where it is known: the embedded server's, or `TEMPORAL_UI_URL`. */
  readonly base?: string | undefined;
  /** `undefined`: the list of workflows. */
  readonly workflowId?: string | undefined;
}

/** The Web UI's address, or `null` where it cannot be known (a self-hosted cluster without `TEMPORAL_UI_URL`). */
export function webUiUrl({ address, namespace, base, workflowId }: WebUiRequest): string | null {
  const isCloud = /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address);
  const root = base ?? (isCloud ? 'https://cloud.temporal.io' : undefined);
  if (root === undefined) return null;
  const list = `${root.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows`;
  return workflowId === undefined ? list : `${list}/${encodeURIComponent(workflowId)}`;
}

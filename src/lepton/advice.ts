import type { LeptonError } from './lepton-error';

/** Returns what a user can do about a failed call. Pure. */
export function adviceFor({ kind }: Pick<LeptonError, 'kind'>): string {
  switch (kind) {
    case 'unauthorized':
    case 'forbidden':
      return 'Check that the token is valid and belongs to this workspace (lep login, or LEPTON_WORKSPACE_ID and LEPTON_WORKSPACE_TOKEN).';
    case 'not_found':
    case 'invalid_request':
    case 'invalid_response':
      return "Check the workspace's id and address (LEPTON_WORKSPACE_ID, LEPTON_WORKSPACE_URL).";
    case 'network':
      return 'Check the address (LEPTON_WORKSPACE_URL) and your network or proxy; --platform local runs on this machine.';
    case 'conflict':
    case 'rate_limited':
    case 'server':
      return 'Try again in a while.';
  }
}

import { formatDuration } from '../../../support/duration';
import type { RunDocument } from '../run-document';

/** Returns a share as `21 %`; `''` if it is not known. Pure. */
export const percent = (share: number | null): string =>
  share === null ? '' : `${share < 0.1 ? Number((share * 100).toFixed(1)) : Math.round(share * 100)} %`;

/** Says how much of the paid endpoint time was of use; no line if that is not known. Pure. */
export function usefulShareLine({ usefulShare, tasks }: Pick<RunDocument, 'usefulShare' | 'tasks'>): string[] {
  if (usefulShare === null) return [];
  const paid = tasks.filter(({ costs }) => costs.usefulShare !== null);
  // Tasks that share an endpoint have no time of their own.
  if (paid.length === 0) return [`useful endpoint time: ${percent(usefulShare)}`];
  const seconds = paid.reduce((sum, { costs }) => sum + (costs.endpointSeconds ?? 0), 0);
  const useful = formatDuration(usefulShare * seconds * 1000);
  return [
    `useful endpoint time: ${percent(usefulShare)} (requests were under way for ${useful} of ${formatDuration(seconds * 1000)})`,
  ];
}

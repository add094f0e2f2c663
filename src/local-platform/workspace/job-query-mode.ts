import type { JobRecord } from '../state/records';

/** Which jobs a listing or look-up includes, in the terms of the service's clients. */
export type JobQueryMode = 'alive_only' | 'archive_only' | 'alive_and_archive';

/**
 * Deleted jobs are listed in the archive only; jobs archived by their ttl in both modes that include the archive.
 * Pure.
 */
export function isListed(record: JobRecord, mode: JobQueryMode): boolean {
  switch (mode) {
    case 'alive_only':
      return record.archived === undefined;
    case 'archive_only':
      return record.archived !== undefined;
    case 'alive_and_archive':
      return record.archived?.reason !== 'deleted';
  }
}

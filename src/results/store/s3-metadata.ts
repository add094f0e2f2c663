import type { FetchedFile } from '../transfer/journal';

/** What is known of a file, kept with it as metadata: text in ASCII. Pure. */

const names = { sha256: 'sha256', size: 'original-size', original: 'original-sha256', withheld: 'withheld' } as const;
/** S3 takes 2 KiB of metadata. */
const maxReason = 1_000;

export const metadataOf = ({ sha256, original, withheld }: FetchedFile): Record<string, string> => ({
  [names.sha256]: sha256,
  ...(original ? { [names.size]: String(original.size), [names.original]: original.sha256 } : {}),
  ...(withheld === undefined ? {} : { [names.withheld]: encodeURIComponent(withheld).slice(0, maxReason) }),
});

/** Returns the record; `undefined` if another program wrote the file. */
export function recordIn(
  path: string,
  size: number,
  metadata: Readonly<Record<string, string>> | undefined,
): FetchedFile | undefined {
  const sha256 = metadata?.[names.sha256];
  if (metadata === undefined || sha256 === undefined) return undefined;
  const original = { size: Number(metadata[names.size]), sha256: metadata[names.original] ?? '' };
  const withheld = metadata[names.withheld];
  return {
    path,
    size,
    sha256,
    ...(original.sha256 === '' ? {} : { original }),
    ...(withheld === undefined ? {} : { withheld: decoded(withheld) }),
  };
}

/** A text that was cut may end in half an escape. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replace(/%[0-9A-F]?$/, ''));
  } catch {
    return text;
  }
}

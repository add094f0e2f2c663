import { z } from 'zod';
import { readJsonFile, UnreadableFile } from './atomic-file';

/** How a JSON file with a `version` is read. */
export interface VersionedFormat<T> {
  readonly schema: z.ZodType<T>;
  /** The highest version that `schema` reads. A file without a version counts as version 1. */
  readonly version: number;
  /** What a person can do about a file that can't be read: a whole sentence. */
  readonly advice: string;
}

const versionSchema = z.looseObject({ version: z.number().int().optional() });

/**
 * Returns the content of a file, or `undefined` if there is none. Throws `UnreadableFile`, which names the file and says what to
 * do, if it is damaged or was written by a newer program. Other errors are those of the file system.
 */
export async function readVersionedJson<T>(file: string, format: VersionedFormat<T>): Promise<T | undefined> {
  const { schema, version, advice } = format;
  const content = await readJsonFile(file).catch((error: unknown) => {
    throw error instanceof UnreadableFile ? new UnreadableFile(`${error.message}. ${advice}`) : error;
  });
  if (content === undefined) return undefined;
  const found = versionSchema.safeParse(content).data?.version ?? 1;
  if (found > version)
    throw new UnreadableFile(
      `${file} has version ${found}, and this evalsaga reads versions up to ${version}: use the one that wrote it. ${advice}`,
    );
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new UnreadableFile(`${file} is damaged: ${whereOf(parsed.error)}. ${advice}`);
}

/** Names the place, never the value, which may be secret. */
function whereOf({ issues }: z.ZodError): string {
  const [first] = issues;
  const place = (first?.path ?? []).map(String).join('.');
  return place === '' ? 'it holds something else' : `${place} is missing or not what it should be`;
}

/** Names of endpoints, jobs and folders. Pure, deterministic. */
import { createHash } from 'node:crypto';

/** The platform's limit on names of endpoints and jobs. */
const maxName = 36;
const maxSlug = 14;

const hashOf = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

/** Returns lower-case letters, digits and single hyphens only, fit for names and paths. */
const toSlug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');

/** Returns a task's short name: what follows the last dot, at most 14 characters. A truncated one ends in a hash of the whole. */
export function taskSlug(name: string): string {
  const short = name.split('.').at(-1) ?? name;
  const slug = toSlug(short);
  if (slug !== '' && slug.length <= maxSlug) return slug;
  const hash = hashOf(name, 4);
  const head = slug.slice(0, maxSlug - 1 - hash.length).replace(/-+$/, '');
  return head === '' ? `task-${hash}` : `${head}-${hash}`;
}

export interface NameParts {
  readonly slug: string;
  /** A task's; `e0` for a shared endpoint. */
  readonly index: number | string;
  readonly invocation: string;
}

/** Returns `<prefix>-<slug>-<index>-<first 8 digits of the invocation>`. The prefix is truncated to keep the limit. */
function nameOf(prefix: string, { slug, index, invocation }: NameParts): string {
  const rest = `${slug}-${index}-${invocation.slice(0, 8)}`;
  const head = toSlug(prefix)
    .replace(/^[^a-z]+/, '')
    .slice(0, maxName - rest.length - 1)
    .replace(/-+$/, '');
  return `${head === '' ? 'e' : head}-${rest}`;
}

/** Returns the name of a task's endpoint; `prefix` is `endpoint_name` or the deployment's type. */
export const endpointName = (prefix: string, parts: NameParts): string => nameOf(prefix, parts);

/** Returns the name of a task's job. */
export const jobName = (parts: NameParts): string => nameOf('eval', parts);

/** Returns a task's folder in the run's storage and in the local output folder. `model`: of a run of several. */
export const taskFolder = ({ slug, index }: Omit<NameParts, 'invocation'>, model: string | null = null): string =>
  model === null ? `${index}-${slug}` : `${index}-${taskSlug(model)}-${slug}`;

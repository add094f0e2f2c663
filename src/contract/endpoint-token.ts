import { indexIn } from './identity';

/** The token that evalsaga makes for each endpoint: its form, and the name under which the workspace keeps it. Pure. */

/** Characters of a token after its prefix. */
const length = 39;
const prefix = 'evalsaga_';

/** Matches every made token in a text. Nothing else has this form, so a token is recognized by whoever knows no value of it. */
export const madeTokenPattern = `${prefix}[A-Za-z0-9]{${length}}`;

/** Begins like a made token; `length` counts the whole token. For searches in streams, where a token may be cut. */
export const madeToken = { prefix, length: prefix.length + length } as const;

/** Makes a token of letters and digits out of random ones in base64. */
export function madeTokenOf(randomBase64: string): string {
  const characters = randomBase64.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, length);
  if (characters.length < length) throw new Error('too few random characters for a token');
  return `${prefix}${characters}`;
}

/** Returns the name of the workspace's secret with the token of this endpoint. */
export const tokenSecretName = (invocation: string, endpoint: string): string => `evalsaga-${invocation}-${endpoint}`;

/** The endpoint to which a made token belongs. */
export interface TokenOwner {
  readonly invocation: string;
  readonly endpoint: string;
  /** The task's or shared endpoint's index, which is in the endpoint's name; `undefined`: not in this one. */
  readonly index: number | undefined;
}

/** Returns whose token a secret of the workspace holds, by its name; `undefined` if it is not one of ours. */
export function tokenOwnerOf(secretName: string): TokenOwner | undefined {
  const [, invocation, endpoint] = /^evalsaga-([0-9a-f]{16})-([a-z][a-z0-9-]*)$/.exec(secretName) ?? [];
  if (invocation === undefined || endpoint === undefined) return undefined;
  const index = /-(e?\d+)-[0-9a-f]{8}$/.exec(endpoint)?.[1];
  return { invocation, endpoint, index: index === undefined ? undefined : indexIn(index) };
}

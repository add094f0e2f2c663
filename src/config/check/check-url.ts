/** Returns warnings about the URL of an existing endpoint. Pure. */
import { masked } from '../../contract/url-placeholders';
import { readExistingUrl } from '../plan/existing-url';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import type { ResolvedConfig } from '../schema/config';
import { nodeAt, placeOfNode } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';

export function checkUrl({ deployment, target }: ResolvedConfig, root: ConfigNode): ConfigProblem[] {
  const { url } = target.api_endpoint;
  if (deployment.type !== 'none' || url === null) return [];
  const doubt = warningAbout(url);
  if (doubt === undefined) return [];
  const path = ['target', 'api_endpoint', 'url'];
  return [{ ...placeOf(placeOfNode(nodeAt(root, path))), path: path.join('.'), ...doubt }];
}

function warningAbout(text: string): Pick<ConfigProblem, 'message' | 'hint'> | undefined {
  const existing = readExistingUrl(text);
  if (existing.kind === 'invalid') return undefined;
  const { pathname } = new URL(existing.url);
  const twice = /\/(v\d+)\/\1(?:\/|$)/.exec(pathname)?.[1];
  if (twice !== undefined)
    return { message: `the path has \`/${twice}\` twice: ${masked(pathname)}`, hint: `remove one \`/${twice}\`` };
  if (existing.kind === 'base' || existing.takes !== undefined) return undefined;
  return {
    message: `requests will go to exactly this path, ${masked(pathname)}, which OpenAI-compatible servers do not have`,
    hint: 'a base URL ends in /v1, and each task appends its path; a full URL ends in /chat/completions, /completions or /embeddings',
  };
}

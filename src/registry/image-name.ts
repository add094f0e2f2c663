/** Names of container images. Pure. */

export interface ImageName {
  /** `host` or `host:port`. */
  readonly registry: string;
  readonly repository: string;
  /** Tag or digest. */
  readonly reference: string;
}

/** Reads `registry/repository:tag` or `…@sha256:…`; a missing tag means `latest`. `undefined` if the name has no registry, or is none. */
export function readImageName(text: string): ImageName | undefined {
  const [, registry = '', repository = '', tag, digest] =
    /^([^/\s]+)\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(text) ??
    [];
  const isHost = /^(?:localhost|[\w-]+(?:\.[\w-]+)+|\[[0-9a-f:]+\]|[\w-]+(?=:\d))(?::\d{1,5})?$/i.test(registry);
  return isHost ? { registry, repository, reference: digest ?? tag ?? 'latest' } : undefined;
}

/** As Docker does: only a registry on this machine is asked without TLS. */
export const baseOf = ({ registry }: ImageName): string =>
  `${/^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/.test(registry) ? 'http' : 'https'}://${registry}`;

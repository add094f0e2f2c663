/** Reads from a container registry: the HTTP API v2 of Docker and the Open Container Initiative. */
import { createHash } from 'node:crypto';
import { fetch } from 'undici';
import type { Dispatcher, Response } from 'undici';
import { UsageFault } from '../support/usage-fault';
import { isPlainObject } from '../support/plain-object';
import { messageOf } from '../support/error-message';
import { dockerLogin } from './docker-login';
import type { RegistryLogin } from './docker-login';
import { baseOf } from './image-name';
import type { ImageName } from './image-name';

export interface Layer {
  readonly digest: string;
  /** Bytes, compressed. */
  readonly size: number;
  readonly mediaType: string;
}

/** The registry cannot be reached, or answered with a failure of its own. Exit code 3. */
export class RegistryUnavailable extends Error {
  override readonly name = 'RegistryUnavailable';
}

const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

const timeoutMs = 30_000;

/** Larger manifests and layers are not read. */
const maxBytes = 4 * 1024 * 1024;

export class RegistryClient {
  private authorization: string | undefined;
  private login: Promise<RegistryLogin | undefined> | undefined;

  constructor(
    private readonly image: ImageName,
    private readonly options: {
      readonly env: Readonly<Record<string, string | undefined>>;
      readonly dispatcher?: Dispatcher;
    },
  ) {}

  /** Returns the layers of the image, for Linux on x86 if there are several platforms; the base image's come first. */
  async layers(): Promise<readonly Layer[]> {
    const top = await this.manifest(this.image.reference);
    const manifests = top['manifests'];
    const manifest = Array.isArray(manifests) ? await this.manifest(digestOfPlatform(manifests)) : top;
    const layers = Array.isArray(manifest['layers']) ? manifest['layers'] : [];
    return layers.flatMap((layer: unknown): Layer[] => {
      if (!isPlainObject(layer)) return [];
      const { digest, size, mediaType } = layer;
      return typeof digest === 'string' && typeof size === 'number'
        ? [{ digest, size, mediaType: typeof mediaType === 'string' ? mediaType : '' }]
        : [];
    });
  }

  /** Returns a layer's content as it is stored, with its digest verified. */
  async blob({ digest }: Layer): Promise<Buffer> {
    const content = await this.get(`blobs/${digest}`, '*/*');
    if (digest.startsWith('sha256:') && createHash('sha256').update(content).digest('hex') !== digest.slice(7))
      throw new RegistryUnavailable(`${this.image.registry} sent other content for ${digest} than its digest says.`);
    return content;
  }

  private async manifest(reference: string): Promise<Record<string, unknown>> {
    const content = await this.get(`manifests/${reference}`, [...indexTypes, ...manifestTypes].join(', '));
    const manifest = parsed(content.toString('utf8'));
    if (manifest === undefined)
      throw new RegistryUnavailable(`${this.image.registry} answered with something that is no image manifest.`);
    return manifest;
  }

  private async get(path: string, accept: string): Promise<Buffer> {
    const url = `${baseOf(this.image)}/v2/${this.image.repository}/${path}`;
    let response = await this.request(url, { accept, ...this.headers() });
    if (response.status === 401) {
      this.authorization = await this.authorize(response.headers.get('www-authenticate') ?? '');
      if (this.authorization !== undefined) response = await this.request(url, { accept, ...this.headers() });
    }
    if (!response.ok) throw this.refusal(response.status);
    return limited(response, this.image.registry);
  }

  private headers(): Record<string, string> {
    return this.authorization === undefined ? {} : { authorization: this.authorization };
  }

  private async authorize(challenge: string): Promise<string | undefined> {
    this.login ??= dockerLogin(this.image.registry, this.options.env);
    const login = await this.login;
    if (/^basic\b/i.test(challenge)) return login?.kind === 'password' ? basic(login) : undefined;
    const asked = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
    );
    const realm = asked['realm'];
    if (!/^bearer\b/i.test(challenge) || realm === undefined || !isSafeRealm(realm, this.image)) return undefined;
    const scope = asked['scope'] ?? `repository:${this.image.repository}:pull`;
    const token = await this.token(realm, { service: asked['service'] ?? this.image.registry, scope, login });
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  private async token(
    realm: string,
    { service, scope, login }: { service: string; scope: string; login: RegistryLogin | undefined },
  ): Promise<string | undefined> {
    const url = new URL(realm);
    const fields = { service, scope };
    if (login?.kind === 'identity') {
      const body = new URLSearchParams({
        ...fields,
        grant_type: 'refresh_token',
        client_id: 'evalsaga',
        refresh_token: login.token,
      });
      return tokenIn(
        await this.request(realm, { 'content-type': 'application/x-www-form-urlencoded' }, body.toString()),
      );
    }
    for (const [key, value] of Object.entries(fields)) url.searchParams.set(key, value);
    return tokenIn(await this.request(url.href, login === undefined ? {} : { authorization: basic(login) }));
  }

  private async request(url: string, headers: Record<string, string>, body?: string): Promise<Response> {
    const { dispatcher } = this.options;
    try {
      return await fetch(url, {
        headers,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { method: 'POST', body }),
        ...(dispatcher === undefined ? {} : { dispatcher }),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new RegistryUnavailable(`The registry ${new URL(url).host} can't be reached: ${messageOf(cause)}.`);
    }
  }

  private refusal(status: number): Error {
    const { registry, repository, reference } = this.image;
    if (status === 401 || status === 403)
      return new UsageFault(
        `${registry} does not let you read ${repository} (HTTP ${status}). Log in with \`docker login ${registry}\`; its credentials are read from ~/.docker/config.json, or from the folder DOCKER_CONFIG.`,
      );
    if (status === 404)
      return new UsageFault(`${registry} has no image ${repository} with the tag or digest ${reference}.`);
    return new RegistryUnavailable(`${registry} answered with HTTP ${status} to the request for ${repository}.`);
  }
}

function digestOfPlatform(manifests: readonly unknown[]): string {
  const entries = manifests.filter(isPlainObject);
  const isLinuxOnX86 = ({ platform }: Record<string, unknown>): boolean =>
    isPlainObject(platform) && platform['os'] === 'linux' && platform['architecture'] === 'amd64';
  const digest = (entries.find(isLinuxOnX86) ?? entries[0])?.['digest'];
  if (typeof digest !== 'string') throw new UsageFault('The image has no manifest for any platform.');
  return digest;
}

const basic = ({ user, password }: Extract<RegistryLogin, { kind: 'password' }>): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Credentials go only to a token service that is asked with TLS, as the registry itself is. */
const isSafeRealm = (realm: string, image: ImageName): boolean =>
  URL.canParse(realm) && (realm.startsWith('https://') || baseOf(image).startsWith('http://'));

async function tokenIn(response: Response): Promise<string | undefined> {
  const answer = response.ok ? parsed(await response.text()) : undefined;
  const token = answer?.['token'] ?? answer?.['access_token'];
  return typeof token === 'string' ? token : undefined;
}

async function limited(response: Response, registry: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    size += bytes.byteLength;
    if (size > maxBytes)
      throw new RegistryUnavailable(`${registry} sends more than ${maxBytes} bytes for a small file.`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isPlainObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { StoreEnv } from './store';
import { StoreError, type StoreErrorKind } from './store-error';

/** Variables that decide which client is used; the rest of AWS's configuration is read by its SDK. */
const deciding = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL',
  'AWS_CA_BUNDLE',
  'AWS_PROFILE',
  'EVALSAGA_S3_PATH_STYLE',
] as const;

const known = new Map<string, S3Client>();

/** Returns a client for the endpoint and credentials of this environment; the same one for the same environment. */
export function s3ClientFor(env: StoreEnv): S3Client {
  const key = JSON.stringify(deciding.map((name) => env[name] ?? null));
  const client = known.get(key) ?? new S3Client(s3Config(env));
  known.set(key, client);
  return client;
}

/** Pure, but for the file of certificate authorities. */
export function s3Config(env: StoreEnv): S3ClientConfig {
  const endpoint = env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'] || undefined;
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env;
  return {
    region: env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || 'us-east-1',
    ...(endpoint === undefined ? { followRegionRedirects: true } : { endpoint }),
    forcePathStyle: pathStyle(env, endpoint !== undefined),
    ...(accessKeyId && secretAccessKey
      ? { credentials: { accessKeyId, secretAccessKey, ...(token ? { sessionToken: token } : {}) } }
      : {}),
    ...(env['AWS_PROFILE'] ? { profile: env['AWS_PROFILE'] } : {}),
    // Many servers that speak S3 don't know the newer trailing checksums. What is written carries its sha256 anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 5,
    requestHandler: {
      connectionTimeout: 10_000,
      socketTimeout: 30_000,
      ...(env['AWS_CA_BUNDLE'] ? { httpsAgent: { ca: authorities(env['AWS_CA_BUNDLE']), keepAlive: true } } : {}),
    },
  };
}

/** Servers with an address of their own seldom have a name for each bucket. */
function pathStyle(env: StoreEnv, hasEndpoint: boolean): boolean {
  const wish = env['EVALSAGA_S3_PATH_STYLE'];
  return wish ? !/^(0|false|no)$/i.test(wish) : hasEndpoint;
}

function authorities(file: string): string[] {
  try {
    return [...rootCertificates, readFileSync(file, 'utf8')];
  } catch (error) {
    throw new StoreError('refused', `AWS_CA_BUNDLE names ${file}, which can't be read: ${(error as Error).message}`);
  }
}

interface Answered {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const fullNames = /^(QuotaExceeded\w*|XMinioStorageFull|InsufficientStorage\w*|StorageFull|EntityTooLarge|NoSpace\w*)$/;
const refusedNames =
  /^(AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken\w*|InvalidToken|TokenRefreshRequired|CredentialsProviderError|NoSuchBucket|InvalidBucketName|PermanentRedirect|AuthorizationHeaderMalformed|KeyTooLongError|InvalidArgument|MethodNotAllowed|AccountProblem|AllAccessDisabled)$/;

/** Returns what an error of the SDK means. Pure. */
export function s3Fault(place: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { name = 'Error', message = '', code, $metadata } = (error ?? {}) as Answered;
  const status = $metadata?.httpStatusCode;
  const said = [status === undefined ? '' : `HTTP ${status}`, name, code ?? '', message].filter(
    (part, at, all) => part !== '' && part !== 'Error' && all.indexOf(part) === at,
  );
  const kind = kindOf(name, status);
  const advice = kind === 'refused' ? `. ${adviceOn(name)}` : '';
  return new StoreError(kind, `results store ${place}: ${said.join(' ')}${advice}`, { cause: error });
}

function kindOf(name: string, status: number | undefined): StoreErrorKind {
  if (status === 507 || fullNames.test(name)) return 'full';
  if (refusedNames.test(name) || status === 401 || status === 403) return 'refused';
  return 'unavailable';
}

function adviceOn(name: string): string {
  switch (name) {
    case 'CredentialsProviderError':
      return 'Give this process credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role';
    case 'NoSuchBucket':
      return 'Make the bucket, or correct execution.results_store; AWS_ENDPOINT_URL_S3 names the server';
    default:
      return 'Check its credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE, a role), what they permit, and AWS_ENDPOINT_URL_S3';
  }
}

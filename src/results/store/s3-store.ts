import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { FetchedFile } from '../transfer/journal';
import { partSizeFor, partsOf, singleBytes } from './parts';
import { metadataOf, recordIn } from './s3-metadata';
import { s3ClientFor, s3Fault } from './s3-client';
import type { PutContent, ResultsStore, StoredContent, StoredFile, StoreEnv, StoreOptions } from './store';
import { StoreError } from './store-error';

/** A store in a bucket of any server that speaks S3. `place`: `s3://bucket/prefix`. */
export function s3Store(place: string, env: StoreEnv): ResultsStore {
  return new S3Store(place, () => s3ClientFor(env));
}

/** Bytes of an object's key. */
const maxKeyBytes = 1_024;

class S3Store implements ResultsStore {
  private readonly bucket: string;
  private readonly prefix: string;

  constructor(
    readonly place: string,
    private readonly clientOf: () => S3Client,
  ) {
    const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(place) ?? [];
    this.bucket = bucket;
    this.prefix = prefix === '' ? '' : `${prefix.replace(/\/+$/, '')}/`;
  }

  list({ signal }: StoreOptions = {}): Promise<readonly StoredFile[]> {
    return this.guarded(async (client) => {
      const found: StoredFile[] = [];
      let token: string | undefined;
      do {
        const command = new ListObjectsV2Command({
          Bucket: this.bucket,
          Prefix: this.prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        });
        const page = await client.send(command, options(signal));
        for (const { Key, Size = 0 } of page.Contents ?? [])
          if (Key !== undefined && !Key.endsWith('/')) found.push({ path: Key.slice(this.prefix.length), size: Size });
        token = page.IsTruncated ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
      return found;
    });
  }

  describe(relative: string, { signal }: StoreOptions = {}): Promise<FetchedFile | undefined> {
    return this.guarded(async (client) => {
      const head = await orAbsent(client.send(new HeadObjectCommand(this.at(relative)), options(signal)));
      return head && recordIn(relative, head.ContentLength ?? 0, head.Metadata);
    });
  }

  put(content: PutContent, record: FetchedFile, { signal }: StoreOptions = {}): Promise<void> {
    return this.guarded(async (client) => {
      const isSmall = 'bytes' in content || record.size <= singleBytes;
      if (isSmall) await this.putWhole(client, { content, record, signal });
      else await this.putInParts(client, { file: content.file, record, signal });
    });
  }

  read(relative: string, { signal }: StoreOptions = {}): Promise<StoredContent | undefined> {
    return this.guarded(async (client) => {
      const got = await orAbsent(client.send(new GetObjectCommand(this.at(relative)), options(signal)));
      if (!got?.Body) return undefined;
      const body = got.Body as AsyncIterable<Uint8Array>;
      return {
        sha256: recordIn(relative, got.ContentLength ?? 0, got.Metadata)?.sha256,
        content: this.guardedStream(body, relative),
      };
    });
  }

  remove(relative: string, { signal }: StoreOptions = {}): Promise<void> {
    return this.guarded(async (client) => {
      await orAbsent(client.send(new DeleteObjectCommand(this.at(relative)), options(signal)));
    });
  }

  /** Servers that keep no list of unfinished uploads, or don't show it to us, have their own rules for removing them. */
  async endStaleUploads({ signal }: StoreOptions = {}): Promise<number> {
    const { bucket: Bucket, prefix: Prefix } = this;
    try {
      return await this.guarded(async (client) => {
        const listed = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }), options(signal));
        const uploads = (listed.Uploads ?? []).filter(({ Key }) => Key?.startsWith(Prefix));
        for (const { Key, UploadId } of uploads)
          await orAbsent(client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options(signal)));
        return uploads.length;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof StoreError && error.kind === 'unavailable' && !isUnsupported(error)) throw error;
      return 0;
    }
  }

  private async putWhole(client: S3Client, { content, record, signal }: Put): Promise<void> {
    const body = 'bytes' in content ? content.bytes : await readFile(content.file);
    const digest = createHash('sha256').update(body).digest();
    this.checkSource(record, body.length, digest.toString('hex'));
    const sum = digest.toString('base64');
    const input = { ...this.at(record.path), Body: body, ChecksumSHA256: sum, Metadata: metadataOf(record) };
    const { ChecksumSHA256 } = await client.send(new PutObjectCommand(input), options(signal));
    if (ChecksumSHA256 !== sum) await this.checkByReading(record, signal);
  }

  private async putInParts(
    client: S3Client,
    { file, record, signal }: Omit<Put, 'content'> & { readonly file: string },
  ): Promise<void> {
    const partSize = partSizeFor(record.size);
    const { size, sha256, composite } = await partsOf(file, partSize);
    this.checkSource(record, size, sha256);
    const upload = new Upload({
      client,
      partSize,
      queueSize: 3,
      params: {
        ...this.at(record.path),
        Body: createReadStream(file, { highWaterMark: 1024 * 1024 }),
        ChecksumAlgorithm: 'SHA256',
        Metadata: metadataOf(record),
      },
    });
    const abort = (): void => void upload.abort().catch(() => undefined);
    signal?.throwIfAborted();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const { ChecksumSHA256 } = await upload.done();
      if (ChecksumSHA256 !== composite) await this.checkByReading(record, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private checkSource(record: FetchedFile, size: number, sha256: string): void {
    if (size === record.size && sha256 === record.sha256) return;
    throw new StoreError('damaged', `${record.path} has changed on this machine before it was in ${this.place}`);
  }

  /** For servers that don't check a sha256 themselves. */
  private async checkByReading({ path, size, sha256 }: FetchedFile, signal: AbortSignal | undefined): Promise<void> {
    const stored = await this.read(path, { signal });
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of stored?.content ?? []) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
    if (stored && bytes === size && hash.digest('hex') === sha256) return;
    throw new StoreError('damaged', `results store ${this.place}: ${path} is not there as it was written`);
  }

  private at(relative: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: shortened(`${this.prefix}${relative}`) };
  }

  private async *guardedStream(body: AsyncIterable<Uint8Array>, relative: string): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw s3Fault(`${this.place}/${relative}`, error);
    }
  }

  private async guarded<T>(work: (client: S3Client) => Promise<T>): Promise<T> {
    try {
      return await work(this.clientOf());
    } catch (error) {
      if ((error as Error).name === 'AbortError') throw error;
      throw s3Fault(this.place, error);
    }
  }
}

interface Put {
  readonly content: PutContent;
  readonly record: FetchedFile;
  readonly signal: AbortSignal | undefined;
}

const options = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } =>
  signal ? { abortSignal: signal } : {};

/** Returns `undefined` for what does not exist; a missing bucket is an error. */
async function orAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    const { name } = error as Error;
    if (name === 'NoSuchKey' || name === 'NotFound' || name === 'NoSuchUpload') return undefined;
    throw error;
  }
}

const isUnsupported = ({ cause }: StoreError): boolean =>
  [404, 405, 501].includes((cause as { $metadata?: { httpStatusCode?: number } })?.$metadata?.httpStatusCode ?? 0);

/** Keys have a limit that paths have not: a digest replaces the end of a longer one. Pure. */
export function shortened(key: string): string {
  if (Buffer.byteLength(key) <= maxKeyBytes) return key;
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 16);
  const kept = Buffer.from(key).subarray(0, maxKeyBytes - 20);
  return `${kept.toString('utf8').replace(/\ufffd+$/, '')}~${digest}`;
}

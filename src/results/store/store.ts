import type { FetchedFile } from '../transfer/journal';

/** Where results are kept, on whatever machine a worker runs: everything below one place. Rejects with `StoreError`. */
export interface ResultsStore {
  /** For messages. */
  readonly place: string;
  /** Lists all files below the place; `[]` if there is nothing. */
  list(options?: StoreOptions): Promise<readonly StoredFile[]>;
  /** Returns what is known of a file; `undefined` if there is none. Without a record of its own, the file is read. */
  describe(relative: string, options?: StoreOptions): Promise<FetchedFile | undefined>;
  /** Writes a file: readers see the old one, or all of the new one. Resolves once the store has it, checked by size and sha256. */
  put(content: PutContent, record: FetchedFile, options?: StoreOptions): Promise<void>;
  /** Opens a file; `undefined` if there is none. `sha256`: as far as the store has recorded it. */
  read(relative: string, options?: StoreOptions): Promise<StoredContent | undefined>;
  /** Removes a file, if there is one. */
  remove(relative: string, options?: StoreOptions): Promise<void>;
  /** Ends uploads that a killed process left unfinished; such uploads cost space, but are never visible. Returns their number. */
  endStaleUploads(options?: StoreOptions): Promise<number>;
}

export interface StoreOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface StoredFile {
  /** Relative to the place, with `/`. */
  readonly path: string;
  readonly size: number;
}

export type PutContent = { readonly file: string } | { readonly bytes: Buffer };

export interface StoredContent {
  readonly sha256: string | undefined;
  readonly content: AsyncIterable<Uint8Array>;
}

export type StoreEnv = Readonly<Record<string, string | undefined>>;

import { fetch as undiciFetch } from 'undici';
import type { z } from 'zod';
import { sharedDispatcher } from '../lepton/dispatcher';
import { messageOf } from '../support/error-message';
import { ExportFault } from './exporter';

/** Requests to the services that results are exported to. */

export interface FetchAnswer {
  readonly status: number;
  text(): Promise<string>;
}

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: FetchRequest) => Promise<FetchAnswer>;

export interface FetchRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  readonly file?: { readonly content: AsyncIterable<Uint8Array>; readonly size: number; readonly type: string };
}

export interface ServiceOptions {
  /** For messages: `MLflow at http://…`. */
  readonly name: string;
  /** With the key, if there is one. Never quoted. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly fetch?: Fetch | undefined;
}

/** Milliseconds for one request. */
const requestMs = 60_000;
/** A file may take longer: milliseconds per MiB, besides `requestMs`. */
const perMebibyteMs = 2_000;
/** Characters of an answer that are quoted. */
const quoted = 300;

const defaultFetch: Fetch = (url, init) =>
  undiciFetch(url, {
    ...init,
    ...(typeof init.body === 'object' ? { duplex: 'half' } : {}),
    dispatcher: sharedDispatcher(),
    redirect: 'manual',
  });

/** One service. Its methods reject with `ExportFault`. */
export class Service {
  constructor(private readonly options: ServiceOptions) {}

  /** Returns the answer's JSON, as `schema` reads it. */
  async json<T>(schema: z.ZodType<T>, call: Call): Promise<T> {
    const found = await this.lookup(schema, call);
    if (found === undefined) throw this.refused(call, 404, '');
    return found;
  }

  /** Like `json`; `undefined` for 404. */
  async lookup<T>(schema: z.ZodType<T>, call: Call): Promise<T | undefined> {
    const { status, text } = await this.send(call);
    if (status === 404) return undefined;
    if (status >= 300 || status < 200) throw this.refused(call, status, text);
    const parsed = schema.safeParse(jsonOf(text));
    if (parsed.success) return parsed.data;
    throw new ExportFault(`${this.options.name} gave an answer of another form to ${placeOf(call)}`);
  }

  private async send(call: Call): Promise<{ readonly status: number; readonly text: string }> {
    const { signal, name, headers, fetch = defaultFetch } = this.options;
    const ms = requestMs + Math.ceil((call.file?.size ?? 0) / 1_048_576) * perMebibyteMs;
    const limit = AbortSignal.timeout(ms);
    try {
      const answer = await fetch(call.url, {
        method: call.method,
        headers: { ...headers, ...typeOf(call) },
        ...bodyOf(call),
        signal: AbortSignal.any([signal, limit]),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      signal.throwIfAborted();
      const why = limit.aborted ? `no answer within ${ms / 1000} s` : reasonOf(error);
      throw new ExportFault(`${name} can't be reached: ${why}`, 'temporary');
    }
  }

  private refused(call: Call, status: number, text: string): ExportFault {
    const isTemporary = status >= 500 || status === 429 || status === 408;
    const said = text.replace(/\s+/g, ' ').trim().slice(0, quoted);
    const key = status === 401 || status === 403 ? ': the key is missing, wrong or may not do this' : '';
    return new ExportFault(
      `${this.options.name} answered ${placeOf(call)} with ${status}${key}${said === '' ? '' : ` (${said})`}`,
      isTemporary ? 'temporary' : 'lasting',
    );
  }
}

const placeOf = ({ method, url }: Call): string => `${method} ${new URL(url).pathname}`;

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message !== '' ? cause.message : messageOf(error);
}

function typeOf({ json, form, file }: Call): Record<string, string> {
  if (json !== undefined) return { 'content-type': 'application/json' };
  if (form !== undefined) return { 'content-type': 'application/x-www-form-urlencoded' };
  if (file !== undefined) return { 'content-type': file.type, 'content-length': String(file.size) };
  return {};
}

function bodyOf({ json, form, file }: Call): { body?: string | AsyncIterable<Uint8Array> } {
  if (json !== undefined) return { body: JSON.stringify(json) };
  if (form !== undefined) return { body: new URLSearchParams(form).toString() };
  return file === undefined ? {} : { body: file.content };
}

function jsonOf(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

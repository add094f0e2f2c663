import { isPlainObject } from '../../src/support/plain-object';
import type { Answer } from './gateway';
import type { World } from './worlds';

/** Makes listings, or reads of single resources, show a past state. */
export interface Lag {
  readonly of: 'listings' | 'gets';
  readonly ms: number;
}

export function lagIn(world: World): Lag | undefined {
  if (world === 'listings lag') return { of: 'listings', ms: 2_000 };
  return world === 'gets lag' ? { of: 'gets', ms: 2_000 } : undefined;
}

interface KnownItem {
  /** The last known state. */
  item: unknown;
  readonly firstMs: number;
  lastMs: number;
}

/** Matches `/deployments` and `/jobs`, with or without a name, but nothing below. */
const route = /^\/(deployments|jobs)(?:\/([^/]+))?$/;

/** Remembers endpoints and jobs from earlier answers, to show their past state. Uses the monotonic clock. */
export class LaggingView {
  private readonly known = new Map<string, KnownItem>();

  constructor(private readonly lag: Lag) {}

  /** Returns the answer to show instead of the real one. */
  shown(method: string, path: string, answer: Answer): Answer {
    const [plain = '', query = ''] = path.split('?');
    const named = new URLSearchParams(query).get('q') ?? '';
    const [, kind, key] = route.exec(plain) ?? [];
    if (kind === undefined || (method !== 'GET' && method !== 'POST')) return answer;
    const value = parsed(answer);
    if (method === 'POST' || answer.status >= 300) {
      if (method === 'POST' && answer.status < 300) itemsOf(value).forEach((item) => this.note(kind, item));
      return key !== undefined && answer.status === 404 ? this.formerly(kind, decodeURIComponent(key), answer) : answer;
    }
    const items = itemsOf(value);
    items.forEach((item) => this.note(kind, item));
    if (key !== undefined) return this.lag.of === 'gets' && this.isNew(kind, items[0]) ? notFound : answer;
    if (this.lag.of === 'gets') return answer;
    const old = items.filter((item) => !this.isNew(kind, item));
    const removed = [...this.known].flatMap(([name, { item, lastMs }]) =>
      name.startsWith(`${kind} `) &&
      name.includes(named) &&
      this.isRecent(lastMs) &&
      !items.some((one) => keysOf(kind, one).includes(name))
        ? [item]
        : [],
    );
    return withItems(answer, value, [...old, ...new Set(removed)]);
  }

  private note(kind: string, item: unknown): void {
    const now = performance.now();
    for (const key of keysOf(kind, item)) {
      const before = this.known.get(key);
      this.known.set(key, { item, firstMs: before?.firstMs ?? now, lastMs: now });
    }
  }

  private isNew(kind: string, item: unknown): boolean {
    const [key = ''] = keysOf(kind, item);
    return this.isRecent(this.known.get(key)?.firstMs ?? -Infinity);
  }

  private isRecent(atMs: number): boolean {
    return performance.now() - atMs < this.lag.ms;
  }

  private formerly(kind: string, key: string, answer: Answer): Answer {
    const known = this.known.get(`${kind} ${key}`);
    if (this.lag.of !== 'gets' || !known || !this.isRecent(known.lastMs)) return answer;
    return { status: 200, headers: json, body: Buffer.from(JSON.stringify(known.item)) };
  }
}

const json = { 'content-type': 'application/json' };
const notFound: Answer = {
  status: 404,
  headers: json,
  body: Buffer.from(JSON.stringify({ code: 'ResourceNotFound', message: 'not found (yet)' })),
};

function parsed({ body, headers }: Answer): unknown {
  if (!headers['content-type']?.includes('json')) return undefined;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Returns the items of a listing (an array, or a page that contains one), or a single resource. */
function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const page = pageOf(value);
  return page?.items ?? (isPlainObject(value) ? [value] : []);
}

function pageOf(value: unknown): { readonly name: string; readonly items: readonly unknown[] } | undefined {
  if (!isPlainObject(value) || 'metadata' in value) return undefined;
  const [name, items] = Object.entries(value).find((entry) => Array.isArray(entry[1])) ?? [];
  return name === undefined ? undefined : { name, items: items as readonly unknown[] };
}

function withItems(answer: Answer, value: unknown, items: readonly unknown[]): Answer {
  const page = pageOf(value);
  const body = page && isPlainObject(value) ? { ...value, [page.name]: items, total: items.length } : items;
  const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => name !== 'content-length'));
  return { ...answer, headers, body: Buffer.from(JSON.stringify(body)) };
}

/** Returns keys by id and by name, as jobs are requested by either. */
function keysOf(kind: string, item: unknown): string[] {
  const metadata = isPlainObject(item) && isPlainObject(item['metadata']) ? item['metadata'] : {};
  return ['id', 'name'].flatMap((field) => {
    const value = metadata[field];
    return typeof value === 'string' && value !== '' ? [`${kind} ${value}`] : [];
  });
}

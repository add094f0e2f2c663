import type { z } from 'zod';
import { invalidResponse } from './call-errors';
import type { Http, HttpCall } from './http';
import { LeptonError } from './lepton-error';
import type { LogOptions, PlatformAccess } from './types';

/** Calls whose answers are checked against the API. */
export interface Requests extends Http {
  /** Returns one object. Rejects with `invalid_response` for anything else. */
  one<T>(call: HttpCall, schema: z.ZodType<T>): Promise<T>;
  /** Returns a list. Invalid items are left out with a note, as in the service's own client, unless all are invalid. */
  list<T>(call: HttpCall, schema: z.ZodType<T>): Promise<T[]>;
  /** Checks the items of a list that was read already. */
  items<T>(call: HttpCall, value: unknown, schema: z.ZodType<T>): T[];
  /** Checks a value that was read already. */
  check<T>(call: HttpCall, value: unknown, schema: z.ZodType<T>): T;
  invalid(call: HttpCall, problem: string): LeptonError;
}

export function createRequests(http: Http, access: PlatformAccess, onNote: (note: string) => void): Requests {
  const invalid = (call: HttpCall, problem: string) =>
    invalidResponse({ request: `${call.method} ${call.path}`, access, secrets: [access.token] }, { problem });

  const check = <T>(call: HttpCall, value: unknown, schema: z.ZodType<T>): T => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw invalid(call, `the answer does not match the API: ${describeIssues(result.error)}`);
  };

  const items = <T>(call: HttpCall, value: unknown, schema: z.ZodType<T>): T[] => {
    if (value === null) return []; // Go's empty list
    if (!Array.isArray(value)) throw invalid(call, `expected a list, found ${typeof value}`);
    const parsed = value.map((item) => schema.safeParse(item));
    const good = parsed.flatMap((result) => (result.success ? [result.data] : []));
    parsed.forEach((result, position) => {
      if (result.success) return;
      const problem = `item ${position} does not match the API: ${describeIssues(result.error)}`;
      if (good.length === 0) throw invalid(call, problem);
      onNote(`${call.method} ${call.path}: ignored: ${problem}`);
    });
    return good;
  };

  return {
    ...http,
    one: async (call, schema) => check(call, await http.json(call), schema),
    list: async (call, schema) => items(call, await http.json(call), schema),
    items,
    check,
    invalid,
  };
}

/** Returns `status.state: expected string` for each issue, without values. */
function describeIssues(error: z.ZodError): string {
  const shown = error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`);
  return `${shown.join('; ')}${error.issues.length > 3 ? '; …' : ''}`;
}

/**
 * Encodes a name as one path segment. Colons and at signs stay, as in the service's own client. Throws for no name at all: the request
 * would be about all resources of the kind.
 */
export function segment(name: string): string {
  if (name === '') throw nameless('a path');
  return encodeURIComponent(name).replaceAll('%3A', ':').replaceAll('%40', '@');
}

/** Returns the failure of a request about one resource that does not say which: a bug, which no repetition mends. */
export const nameless = (request: string): LeptonError =>
  new LeptonError('the name of the resource is missing', { kind: 'invalid_request', request });

/** Without `follow`, asks for the log so far only. The local platform understands this; Lepton ignores it. */
export const logQuery = (options: LogOptions | undefined): Record<string, string> =>
  options?.follow ? {} : { follow: 'false' };

import type { z } from 'zod';
import type { LeptonError } from './lepton-error';
import { invalidResponse } from './call-errors';
import type { Http, HttpCall } from './http';
import type { LogOptions, PlatformAccess } from './types';

/** Calls of which the answer is checked against what the API promises. */
export interface Requests extends Http {
  /** One object; anything else is an `invalid_response`. */
  one<T>(call: HttpCall, schema: z.ZodType<T>): Promise<T>;
  /** A list; a bad item is left out with a note (like the service's own client does), unless all of them are bad. */
  list<T>(call: HttpCall, schema: z.ZodType<T>): Promise<T[]>;
  /** The items of a list that was read already. */
  items<T>(call: HttpCall, value: unknown, schema: z.ZodType<T>): T[];
  /** Checks what was read already. */
  check<T>(call: HttpCall, value: unknown, schema: z.ZodType<T>): T;
  invalid(call: HttpCall, problem: string): LeptonError;
}

export function createRequests(http: Http, access: PlatformAccess, onNote: (note: string) => void): Requests {
  const invalid = (call: HttpCall, problem: string) =>
    invalidResponse({ request: `${call.method} ${call.path}`, access, secrets: [access.token] }, { problem });

  const check = <T>(call: HttpCall, value: unknown, schema: z.ZodType<T>): T => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw invalid(call, `the answer is not what the API promises: ${describeIssues(result.error)}`);
  };

  const items = <T>(call: HttpCall, value: unknown, schema: z.ZodType<T>): T[] => {
    if (value === null) return []; // an empty list, as Go writes it
    if (!Array.isArray(value)) throw invalid(call, `a list was expected, the answer is ${typeof value}`);
    const parsed = value.map((item) => schema.safeParse(item));
    const good = parsed.flatMap((result) => (result.success ? [result.data] : []));
    parsed.forEach((result, position) => {
      if (result.success) return;
      const problem = `item ${position} is not what the API promises: ${describeIssues(result.error)}`;
      if (good.length === 0) throw invalid(call, problem);
      onNote(`${call.method} ${call.path}: left out: ${problem}`);
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

/** `status.state: expected string` for each problem, values left out. */
function describeIssues(error: z.ZodError): string {
  const shown = error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`);
  return `${shown.join('; ')}${error.issues.length > 3 ? '; …' : ''}`;
}

/** A name as one path segment. Colons and at signs stay, as the service's own client leaves them. */
export function segment(name: string): string {
  return encodeURIComponent(name).replaceAll('%3A', ':').replaceAll('%40', '@');
}

/** The local platform ends a log with what there is now when it is told so; Lepton passes over what it does not know. */
export const logQuery = (options: LogOptions | undefined): Record<string, string> =>
  options?.follow ? {} : { follow: 'false' };

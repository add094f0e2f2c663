import picomatch from 'picomatch';
import { z } from 'zod';
import { parseDuration } from '../../support/duration';

export const durationSchema = z.string().transform((text, context) => {
  const parsed = parseDuration(text, ['ms', 's', 'm', 'h']);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: `"${text}" is not a duration such as 200ms, 2s or 1m` });
  return z.NEVER;
});

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** One entry of a plan's `faults`. */
export const faultSchema = z
  .strictObject({
    /** `METHOD /path-glob`, below the workspace and without the query; `*` as the method means any. */
    on: z.string().transform((text, context) => {
      const [, method, path] = /^(\S+)\s+(\/\S*)$/.exec(text.trim()) ?? [];
      if (method !== undefined && path !== undefined && (method === '*' || isMethod(method))) return { method, path };
      const message = `"${text}" is not a method (${methods.join(', ')} or *) and a path glob, such as "POST /deployments"`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }),
    /** Glob on the resource's name or id: from the path, or from the body's metadata. Default: any. */
    name: z.string().optional(),
    /** How often it fires. Default 1. */
    times: z.union([z.literal('inf').transform(() => Infinity), z.number().int().min(1)]).default(1),
    /** Response status, or `drop` to cut the connection. Without it the request is only delayed. */
    respond: z.union([z.literal('drop'), z.number().int().min(200).max(599)]).optional(),
    /** Whether the request takes effect before the faulty response. Default false. */
    apply: z.boolean().default(false),
    /** The request takes effect this long after the response or, for `told`, on `POST /__sim/land`. Needs `respond`. */
    apply_after: z.union([z.literal('told'), durationSchema]).optional(),
    /** Wait before the response. */
    delay: durationSchema.optional(),
    /** Sent as `Retry-After`, in seconds. */
    retry_after: z.number().int().min(0).optional(),
    /** Response body instead of `{code, message}`: a string is sent as it is, anything else as JSON. */
    body: z.unknown().optional(),
  })
  .refine((fault) => fault.respond !== undefined || fault.delay !== undefined, {
    message: 'a fault needs respond (a status or drop) or delay',
  })
  .refine((fault) => fault.apply_after === undefined || (fault.respond !== undefined && !fault.apply), {
    message:
      'apply_after needs respond and excludes apply: it says how long after the response the request takes effect',
  });

const isMethod = (text: string): boolean => (methods as readonly string[]).includes(text);

export type FaultRule = z.infer<typeof faultSchema>;

export interface FaultSubject {
  readonly method: string;
  /** Below the workspace, without the query. */
  readonly path: string;
  /** Names and ids of the resources that the request is about. */
  readonly names: readonly string[];
}

/** The plan's faults and how often each may still fire. Of those that match a request, the first that is left fires. */
export class Faults {
  readonly #deferred: (() => Promise<void>)[] = [];
  #rules: { readonly rule: FaultRule; readonly matches: (subject: FaultSubject) => boolean; left: number }[] = [];

  constructor(rules: readonly FaultRule[]) {
    this.replace(rules);
  }

  replace(rules: readonly FaultRule[]): void {
    this.#rules = rules.map((rule) => ({ rule, matches: matcher(rule), left: rule.times }));
  }

  /** Defers the effect of a request until `land` is called. */
  defer(work: () => Promise<void>): void {
    this.#deferred.push(work);
  }

  /** Runs all deferred requests; resolves to their number. */
  async land(): Promise<number> {
    const deferred = this.#deferred.splice(0);
    await Promise.allSettled(deferred.map((work) => work()));
    return deferred.length;
  }

  /** Returns the fault for a request, if one is due, and counts it as fired. */
  take(subject: FaultSubject): FaultRule | undefined {
    const found = this.#rules.find((entry) => entry.left > 0 && entry.matches(subject));
    if (found !== undefined) found.left -= 1;
    return found?.rule;
  }
}

function matcher(rule: FaultRule): (subject: FaultSubject) => boolean {
  const onPath = picomatch(rule.on.path, { dot: true });
  const onName = rule.name === undefined ? undefined : picomatch(rule.name, { dot: true });
  return ({ method, path, names }) =>
    (rule.on.method === '*' || rule.on.method === method) &&
    onPath(path) &&
    (onName === undefined || names.some((name) => onName(name)));
}

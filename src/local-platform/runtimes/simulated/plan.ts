import { readFile } from 'node:fs/promises';
import path from 'node:path';
import picomatch from 'picomatch';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { UsageFault } from '../../../support/usage-fault';
import { durationSchema, faultSchema } from '../../faults/faults';
import { endedSchema } from './endings';
import type { Step } from './timeline';

/** `[State, 200ms]`, or `[State]` for the last one; a third entry is a message shown with the state. */
const stepSchema = z
  .union(
    [z.tuple([z.string()]), z.tuple([z.string(), durationSchema]), z.tuple([z.string(), durationSchema, z.string()])],
    {
      error: 'a state is [Name, duration] or, as the last one, [Name]; for example [Starting, 500ms]',
    },
  )
  .transform(([state, ms, message]): Step => ({ state, ms, message }));

const statesSchema = z
  .array(stepSchema)
  .min(1, 'name at least one state')
  .superRefine((steps, context) => {
    for (const [index, step] of steps.slice(0, -1).entries()) {
      if (step.ms !== undefined) continue;
      context.addIssue({
        code: 'custom',
        path: [index],
        message: `${step.state} needs a duration: only the last state may lack one`,
      });
    }
  });

const commonKeys = {
  states: statesSchema,
  /** Message shown with the last state. */
  message: z.string().optional(),
  /** Text added to the log when the last state is reached. */
  log: z.string().optional(),
  /** How long deletion takes. Default: no time. */
  deleting: durationSchema.optional(),
};

const endpointRule = z.strictObject({
  ...commonKeys,
  /** How long requests get 503 after the state is Ready. Default: no time. */
  unhealthy: durationSchema.optional(),
  /** Model name to serve instead of the right one. */
  serves: z.string().optional(),
  /**
   * Never answers completions, but everything else; with a duration, once it has been Ready that long. Default false.
   */
  hangs: z.union([z.boolean(), durationSchema]).optional(),
  /** Warm-up: completions requested within this time after Ready are answered when it is over. Default: no time. */
  warms: durationSchema.optional(),
  /** Ready replicas shown while Ready. Default: those that the spec asks for. */
  replicas: z.number().int().min(0).optional(),
});

const jobRule = z.strictObject({
  ...commonKeys,
  /** `false` means that a completed job leaves no results. Default true. */
  results: z.boolean().optional(),
  /** Values of the metrics in `results.yml`. Default: `acc` and `acc_norm`. */
  metrics: z.record(z.string(), z.number()).optional(),
  /**
   * Progress bar in the log while the job runs, as the harness writes it: from none of `total` requests to all of them, `over` this
   * time after it began to run. Default: none.
   */
  progress: z.strictObject({ total: z.number().int().min(1), over: durationSchema }).optional(),
  /**
   * How long after it began to run its log says that its last request is answered, if its variables ask for that. Default: with the last
   * of its `progress`; without one, never.
   */
  answered: durationSchema.optional(),
  /** Files to write beside the results, or instead of them: text by path below the results folder. */
  files: z.record(z.string(), z.string()).optional(),
  /** The job is ended from outside. */
  ended: endedSchema.optional(),
});

const nameKey = { name: z.string() };
const step = (state: string, ms?: number): Step => ({ state, ms, message: undefined });

export type EndpointRule = z.infer<typeof endpointRule>;
export type JobRule = z.infer<typeof jobRule>;

const defaultEndpoint: EndpointRule = { states: [step('Starting', 1_000), step('Ready')] };
const defaultJob: JobRule = { states: [step('Queueing', 200), step('Running', 1_000), step('Completed')] };

const planSchema = z.strictObject({
  endpoints: z
    .strictObject({
      default: endpointRule.default(defaultEndpoint),
      match: z.array(endpointRule.extend(nameKey)).default([]),
    })
    .default({ default: defaultEndpoint, match: [] }),
  jobs: z
    .strictObject({ default: jobRule.default(defaultJob), match: z.array(jobRule.extend(nameKey)).default([]) })
    .default({ default: defaultJob, match: [] }),
  storage: z.strictObject({ keeps_parents: z.boolean().default(false) }).default({ keeps_parents: false }),
  faults: z.array(faultSchema).default([]),
});

/** What the simulated platform does, and when. */
export type Plan = z.infer<typeof planSchema>;

/**
 * Reads a plan file; without one, everything succeeds within about a second. Rejects with the position of each error.
 */
export async function loadPlan(file: string | undefined): Promise<Plan> {
  if (file === undefined) return parsePlan('', 'default plan');
  const full = path.resolve(file);
  let text: string;
  try {
    text = await readFile(full, 'utf8');
  } catch (error) {
    throw new UsageFault(`The plan ${full} can't be read: ${(error as Error).message}`, { cause: error });
  }
  return parsePlan(text, full);
}

/** Parses a plan. Throws an error that lists every problem with `file:line:column`. Pure. */
export function parsePlan(text: string, file: string): Plan {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntaxErrors = document.errors.map((error) => ({ at: error.pos[0], message: error.message }));
  if (syntaxErrors.length > 0) throw planError(syntaxErrors, { file, lines });
  const parsed = planSchema.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => ({
    at: offsetOf(document, issue.path),
    message: `${issue.path.map(String).join('.') || 'plan'}: ${explain(issue)}`,
  }));
  throw planError(problems, { file, lines });
}

/** Returns the rule for a resource of that name: the first that matches, else the default. */
export function ruleFor<Rule extends object>(
  section: { default: Rule; match: readonly (Rule & { name: string })[] },
  name: string,
): Rule {
  return section.match.find((rule) => picomatch.isMatch(name, rule.name, { dot: true })) ?? section.default;
}

function planError(
  problems: readonly { at: number | undefined; message: string }[],
  where: { file: string; lines: LineCounter },
): UsageFault {
  const list = problems.map(({ at, message }) => {
    const position = at === undefined ? undefined : where.lines.linePos(at);
    return `  ${where.file}${position === undefined ? '' : `:${position.line}:${position.col}`}: ${message}`;
  });
  return new UsageFault(`The plan is not valid:\n${list.join('\n')}`);
}

/** Returns the offset of the value at `path`, or of its nearest existing parent. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return undefined;
}

/** For a union, the custom issue of one of its branches is more helpful than the union's own message. */
function explain(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  if (issue.code !== 'invalid_union') return issue.message;
  const custom = issue.errors.flat().find((inner) => inner.code === 'custom');
  return custom?.message ?? issue.message;
}

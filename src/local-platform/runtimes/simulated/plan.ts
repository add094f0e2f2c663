import { readFile } from 'node:fs/promises';
import path from 'node:path';
import picomatch from 'picomatch';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { UsageFault } from '../../../support/usage-fault';
import { durationSchema, faultSchema } from '../../faults/faults';
import type { Step } from './timeline';

/** `[State, 200ms]`, for the last one `[State]`; a third entry is a message shown with it. */
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
        message: `${step.state} needs a duration: only the last state stays`,
      });
    }
  });

const shared = {
  states: statesSchema,
  /** Why the last state was taken: shown with it. */
  message: z.string().optional(),
  /** Text that the log ends with once the last state is reached. */
  log: z.string().optional(),
  /** How long it takes to end when it is deleted. Default: no time. */
  deleting: durationSchema.optional(),
};

const endpointRule = z.strictObject({
  ...shared,
  /** How long requests get 503 though the state is Ready. */
  unhealthy: durationSchema.optional(),
  /** Model name that is served instead of the right one. */
  serves: z.string().optional(),
  /** Completions are never answered, all else is: always, or once it has been Ready for so long. */
  hangs: z.union([z.boolean(), durationSchema]).optional(),
  /** Completions asked for within this time after Ready are answered when it is over: a server that warms up with its first ones. */
  warms: durationSchema.optional(),
  /** Ready replicas that the platform shows while Ready. Default: those that were asked for. */
  replicas: z.number().int().min(0).optional(),
});

const jobRule = z.strictObject({
  ...shared,
  /** `false`: a completed job leaves no results. */
  results: z.boolean().optional(),
  /** Values of the metrics in `results.yml`. Default: `acc` and `acc_norm`. */
  metrics: z.record(z.string(), z.number()).optional(),
  /** Files that it leaves beside its results, or in their place: text by path below its folder. */
  files: z.record(z.string(), z.string()).optional(),
});

const named = { name: z.string() };
const step = (state: string, ms?: number): Step => ({ state, ms, message: undefined });

export type EndpointRule = z.infer<typeof endpointRule>;
export type JobRule = z.infer<typeof jobRule>;

const defaultEndpoint: EndpointRule = { states: [step('Starting', 1_000), step('Ready')] };
const defaultJob: JobRule = { states: [step('Queueing', 200), step('Running', 1_000), step('Completed')] };

const planSchema = z.strictObject({
  endpoints: z
    .strictObject({
      default: endpointRule.default(defaultEndpoint),
      match: z.array(endpointRule.extend(named)).default([]),
    })
    .default({ default: defaultEndpoint, match: [] }),
  jobs: z
    .strictObject({ default: jobRule.default(defaultJob), match: z.array(jobRule.extend(named)).default([]) })
    .default({ default: defaultJob, match: [] }),
  faults: z.array(faultSchema).default([]),
});

/** What a simulated platform does, and when. */
export type Plan = z.infer<typeof planSchema>;

/** Reads a plan file; without one, everything succeeds within moments. Rejects with file, line and column of what is wrong. */
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

/** Throws with `file:line:column` of everything that is wrong. Pure. */
export function parsePlan(text: string, file: string): Plan {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors.map((error) => ({ at: error.pos[0], message: error.message }));
  if (broken.length > 0) throw planError(broken, { file, lines });
  const parsed = planSchema.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => ({
    at: offsetOf(document, issue.path),
    message: `${issue.path.map(String).join('.') || 'plan'}: ${explain(issue)}`,
  }));
  throw planError(faults, { file, lines });
}

/** The rule for a resource of that name: the first that matches, else the default. */
export function ruleFor<Rule extends object>(
  section: { default: Rule; match: readonly (Rule & { name: string })[] },
  name: string,
): Rule {
  return section.match.find((rule) => picomatch.isMatch(name, rule.name, { dot: true })) ?? section.default;
}

function planError(
  faults: readonly { at: number | undefined; message: string }[],
  where: { file: string; lines: LineCounter },
): UsageFault {
  const told = faults.map(({ at, message }) => {
    const position = at === undefined ? undefined : where.lines.linePos(at);
    return `  ${where.file}${position === undefined ? '' : `:${position.line}:${position.col}`}: ${message}`;
  });
  return new UsageFault(`The plan is not valid:\n${told.join('\n')}`);
}

/** Where in the text the value at `path` begins, or the nearest thing around it that is there. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return undefined;
}

/** Of a union the reason of the branch that came furthest says most. */
function explain(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  if (issue.code !== 'invalid_union') return issue.message;
  const custom = issue.errors.flat().find((inner) => inner.code === 'custom');
  return custom?.message ?? issue.message;
}

import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { messageOf } from '../../support/error-message';
import { firstLine } from '../../support/lines';
import { UsageFault } from '../../support/usage-fault';

/** A release policy in the form of NVIDIA's `nel gate` 0.3: which benchmarks must not get worse, and by how much. */

const tier = z.enum(['critical', 'supporting', 'advisory']);
const direction = z.enum(['higher_is_better', 'lower_is_better']);
const drop = z.number().min(0);
const guard = z.number().min(0).max(1);

const entrySchema = z.strictObject({
  tier: tier.nullish(),
  max_drop: drop.nullish(),
  max_relative_drop: drop.nullish(),
  relative_guard_below: guard.nullish(),
  metric: z.string().nullish(),
  direction: direction.nullish(),
});

const policySchema = z.strictObject({
  version: z.literal(1, { error: 'this evalsaga reads version 1' }).default(1),
  defaults: entrySchema.default({}),
  benchmarks: z.record(z.string(), entrySchema).default({}),
});

export type GatePolicy = z.infer<typeof policySchema>;

export interface BenchmarkPolicy {
  readonly tier: z.infer<typeof tier>;
  /** On the score's own scale. */
  readonly maxDrop: number;
  /** Share of the base's score; `null`: not limited. */
  readonly maxRelativeDrop: number | null;
  /** The relative limit holds only for base scores below this; `null`: always. */
  readonly relativeGuardBelow: number | null;
  /** `null`: the benchmark's own. */
  readonly metric: string | null;
  /** `null`: as the harness says. */
  readonly better: 'higher' | 'lower' | null;
}

/** Reads a policy file. Throws `UsageFault`, which names the place. */
export async function readPolicy(file: string): Promise<GatePolicy> {
  let content: unknown;
  try {
    content = parseYaml(await readFile(file, 'utf8'), { logLevel: 'error' });
  } catch (error) {
    throw new UsageFault(`The policy ${file} can't be read: ${firstLine(messageOf(error))}`);
  }
  const parsed = policySchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`);
  throw new UsageFault(`The policy ${file} is not valid: ${problems.join('; ')}`);
}

/** Returns what holds for a benchmark: its own values, then the defaults, then `nel`'s. */
export function policyOf({ benchmarks, defaults }: GatePolicy, name: string): BenchmarkPolicy {
  const own = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
  const given = own?.direction ?? defaults.direction;
  return {
    tier: own?.tier ?? defaults.tier ?? 'supporting',
    maxDrop: own?.max_drop ?? defaults.max_drop ?? 0.015,
    maxRelativeDrop: own?.max_relative_drop ?? defaults.max_relative_drop ?? null,
    relativeGuardBelow: own?.relative_guard_below ?? defaults.relative_guard_below ?? null,
    metric: own?.metric ?? defaults.metric ?? null,
    better: given === undefined || given === null ? null : given === 'higher_is_better' ? 'higher' : 'lower',
  };
}

/** Returns the benchmarks that both sides must have: those named, except for advisory ones. */
export const requiredBenchmarks = (policy: GatePolicy): string[] =>
  Object.keys(policy.benchmarks).filter((name) => policyOf(policy, name).tier !== 'advisory');

import { z } from 'zod';
import type { Metric } from './metric';

/** Checks metrics in files, e.g. `run.json`. Not for workflow code: the sandbox needs no zod. */

const valueSchema = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]);

export const metricSchema: z.ZodType<Metric> = z.object({
  name: z.string(),
  value: valueSchema,
  stderr: valueSchema.nullable(),
  count: z.number().nullable(),
  kind: z.enum(['task', 'group']),
  path: z.array(z.string()),
  metric: z.string(),
  score: z.string(),
});

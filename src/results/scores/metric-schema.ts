import { z } from 'zod';
import type { Metric } from '../../contract/metric';

const valueSchema = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]);

/** A metric in a file, e.g. one of the `scores` in `run.json`. */
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

import path from 'node:path';
import { z } from 'zod';
import { exportTargets, type ExportReport } from '../../contract/export';
import type { PlatformRef } from '../../contract/plan';
import type { KeptStorage, LeftResource, Span, Usage } from '../../contract/state';
import { writeJson } from '../../support/atomic-file';
import { readVersionedJson, type VersionedFormat } from '../../support/versioned-json';
import type { TaskRecord } from './task-record';

/** The format of `run.json`, which only this module writes and reads. */

/** Increased by changes that readers of this version would misunderstand, not by added keys. */
const version = 1;

const text = z.string();
const outcome = z.enum(['succeeded', 'failed', 'cancelled']);
const left: z.ZodType<LeftResource> = z.object({
  kind: z.enum(['endpoint', 'job', 'storage', 'secret']),
  name: text,
  reason: text,
});
const kept: z.ZodType<KeptStorage> = z.object({ path: text, reason: text, command: text });
const teardown = { left: z.array(left).readonly(), kept: z.array(kept).readonly() };
const span: z.ZodType<Span> = z.object({ from: text, until: text.nullable() });
const usage: z.ZodType<Usage> = z.object({ endpoint: span.nullable(), job: span.nullable() });

/** Optional keys are missing in records of earlier builds. */
const task: z.ZodType<TaskRecord> = z.object({
  index: z.number(),
  name: text,
  model: text.exactOptional(),
  endpointPerHour: z.number().exactOptional(),
  phase: z.enum([
    'pending',
    'creating endpoint',
    'awaiting ready',
    'ready',
    'submitting job',
    'running job',
    'fetching results',
    'tearing down',
    'done',
  ]),
  outcome: outcome.nullable(),
  endpoint: text.nullable(),
  endpointUrl: text.nullable(),
  job: text.nullable(),
  message: text.nullable(),
  startedAt: text.nullable(),
  endedAt: text.nullable(),
  metrics: z.record(text, z.union([z.number(), text])),
  metricsTotal: z.number().exactOptional(),
  // `recordedTask` validates them; if they are invalid, it uses the flat metrics.
  scores: z.array(z.any()).exactOptional(),
  partial: z.boolean().exactOptional(),
  resultsDigest: text.exactOptional(),
  endpointAway: z.number().exactOptional(),
  // Of a job that has ended there is none.
  progress: z.any().exactOptional(),
  image: text.exactOptional(),
  // `recordedSummary` validates it.
  summary: z.any().exactOptional(),
  outputDir: text.nullable(),
  error: z.object({ type: text, message: text }).nullable(),
  ...teardown,
  usage: usage.exactOptional(),
  attempt: z.object({ number: z.number(), of: z.number() }).exactOptional(),
  earlierUsage: z.array(usage).exactOptional(),
  takenFrom: z.object({ invocation: text, index: z.number() }).exactOptional(),
});

const platform: z.ZodType<PlatformRef> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('lepton'), workspace: text, url: text }),
  z.object({ kind: z.literal('local'), workspace: text }),
]);

const exportReport: z.ZodType<ExportReport> = z.object({
  to: z.enum(exportTargets),
  outcome: z.enum(['running', 'exported', 'failed', 'skipped']),
  tasks: z.number(),
  where: text.nullable(),
  message: text.nullable(),
});

const schema = z.object({
  /** Missing in files of earlier builds. */
  version: z.literal(version).default(version),
  invocation: text,
  outcome: z.enum([...outcome.options, 'teardown incomplete']),
  model: text,
  platform,
  simulated: z.literal(true).exactOptional(),
  /** The run that this one goes on from. */
  retryOf: text.exactOptional(),
  owner: text,
  name: text.exactOptional(),
  tags: z.record(text, text).exactOptional(),
  startedAt: text,
  endedAt: text,
  versions: z.object({ evalsaga: text, node: text }),
  command: text,
  policies: z.object({ startPolicy: text, onTaskFailure: text, maxParallelEndpoints: z.number().nullable() }),
  limits: z.object({
    endpointReadySeconds: z.number(),
    jobSeconds: z.number(),
    teardownSeconds: z.number(),
    runSeconds: z.number().nullable(),
    resultBytes: z.number(),
  }),
  /** `null`: the run has no budget. */
  cost: z.object({ currency: text, limit: z.number(), spent: z.number(), perHour: z.number() }).nullable(),
  /** Prices and limit; `null`: the run has none. Missing in older files. */
  budget: z
    .object({
      limit: z.number(),
      currency: text,
      endpointPerHour: z.number(),
      jobPerHour: z.number(),
    })
    .nullable()
    .exactOptional(),
  /** Part of the endpoints' paid time in which requests were under way, 0 to 1; `null`: not known. Missing in older files. */
  usefulShare: z.number().nullable().exactOptional(),
  /** Missing in older files, and in those of runs without exports. */
  exports: z.array(exportReport).readonly().exactOptional(),
  tasks: z.array(task).readonly(),
  /** Endpoints that several tasks used, as tasks without a job. Missing if there were none. */
  shared: z.array(task).readonly().exactOptional(),
  teardown: z.object(teardown),
  /** The resolved config with secrets masked, as YAML; `null`: another host has it. */
  config: text.nullable(),
});

type Written = z.infer<typeof schema>;

/** Content of a run's record, without the version. */
export type RunRecord = Omit<Written, 'version'>;

const fileIn = (outputDir: string): string => path.join(outputDir, 'run.json');

/** Writes `<outputDir>/run.json`, atomically; `outputDir` is the run's own folder. Replaces an earlier record. */
export async function writeRunRecord(outputDir: string, record: RunRecord): Promise<void> {
  await writeJson(fileIn(outputDir), { version, ...record });
}

const format: VersionedFormat<Written> = {
  schema,
  version,
  advice: 'Move it away, and the run is shown as Temporal remembers it; the results beside it are not affected.',
};

/** Returns the record of a run, or `undefined` if there is none. Throws like `readVersionedJson`. */
export const readRunRecord = (outputDir: string): Promise<RunRecord | undefined> =>
  readVersionedJson(fileIn(outputDir), format);

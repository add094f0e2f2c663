import { Hono } from 'hono';
import { invalid } from '../api-error';
import { replicaId } from '../dialects/deployment';
import { queryLog, type LogQuery } from '../logs/log-query';
import type { LogOptions } from '../runtime';
import type { JobLog } from '../workspace/jobs';
import type { Workspace } from '../workspace/workspace';
import type { PlatformEnv, PlatformRequest } from './env';

const defaultLimit = 1_000;
const maxLimit = 10_000;

/** Routes of `/logs`: lines of one deployment or job in Loki's format. */
export function logRoutes(workspace: Workspace, closing: AbortSignal): Hono<PlatformEnv> {
  return new Hono<PlatformEnv>().get('/', async (c) => {
    const query = queryOf(c);
    const subject = await subjectOf(c, workspace);
    const replica = replicaId(subject.resource);
    const wanted = c.req.query('replica');
    if (wanted !== undefined && wanted !== replica) return c.json({ data: { result: [] } });
    // Segments first: what is written after this is left for the next query.
    const segments = await subject.segments();
    const signal = AbortSignal.any([c.req.raw.signal, closing]);
    const open = (from: number) => subject.open({ follow: false, signal, from });
    const lines = await queryLog({ open, segments, isComplete: subject.isComplete }, query);
    // The size tells clients whether what they got is all of the log.
    const bytes = String(segments.at(-1)?.size ?? 0);
    const stream = { [subject.label]: subject.resource, replica, bytes };
    const values = lines.map((line) => [line.at.toString(), line.text]);
    return c.json({ data: { result: values.length === 0 ? [] : [{ stream, values }] } });
  });
}

/** States in which the log is complete. */
const finalStates: readonly string[] = ['Completed', 'Failed', 'Stopped', 'Error'];

interface LogSubject extends JobLog {
  readonly label: string;
  readonly resource: string;
  readonly isComplete: boolean;
}

async function subjectOf(context: PlatformRequest, { deployments, jobs, runtime }: Workspace): Promise<LogSubject> {
  for (const label of ['deployment', 'endpoint']) {
    const name = context.req.query(label);
    if (name === undefined) continue;
    const { observed } = deployments.get(name);
    const open = (options: LogOptions) => runtime.deploymentLog(name, options);
    const isComplete = finalStates.includes(observed.state);
    return { label, resource: name, isComplete, open, segments: () => runtime.deploymentLogSegments(name) };
  }
  for (const label of ['job', 'job_history_name']) {
    const id = context.req.query(label);
    if (id === undefined) continue;
    const view = jobs.get(id, 'alive_and_archive');
    const isComplete = finalStates.includes(view.status.state);
    return { label, resource: id, isComplete, ...(await jobs.log(view)) };
  }
  throw invalid('one of deployment, endpoint, job or job_history_name must be given');
}

function queryOf(context: PlatformRequest): LogQuery {
  const from = nanoseconds(context, 'start');
  const until = nanoseconds(context, 'end');
  if ((from === undefined) !== (until === undefined)) throw invalid('start and end must be given together');
  const limit = Number(context.req.query('limit') ?? defaultLimit);
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw invalid(`limit: must be a whole number from 1 to ${maxLimit}`);
  }
  const direction = context.req.query('direction') ?? 'backward';
  if (direction !== 'forward' && direction !== 'backward') throw invalid('direction: must be forward or backward');
  return {
    from: from ?? 0n,
    until: until ?? BigInt(Number.MAX_SAFE_INTEGER) * 1_000_000n,
    limit,
    backward: direction === 'backward',
    text: context.req.query('q') ?? '',
  };
}

function nanoseconds(context: PlatformRequest, key: string): bigint | undefined {
  const text = context.req.query(key);
  if (text === undefined) return undefined;
  if (!/^\d{1,20}$/.test(text)) throw invalid(`${key}: must be nanoseconds since the epoch`);
  return BigInt(text);
}

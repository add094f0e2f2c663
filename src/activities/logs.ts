import path from 'node:path';
import type { SaveLogInput } from '../contract/inputs';
import type { LeptonClient, LogRange } from '../lepton/types';
import { inTime } from '../results/in-time';
import { localFault } from '../results/local-fault';
import { recordLogTimes } from '../results/log-times';
import { saveLog } from '../results/logs';
import { newestLines } from '../results/newest-lines';
import { NoTimedLogs, timedLog } from '../results/timed-log';
import { within } from '../timing/within';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { unspeakable } from './wording';

/** Bytes of one log that are brought home; beyond it the middle is left out. */
const maxLogBytes = 64 * 1024 * 1024;

/**
 * Milliseconds for one log, and for the times of its lines. Within the activities' own bounds (workflows/activity-groups.ts):
 * an endpoint costs money while its log is read, a job is over.
 */
const budgets = { endpoint: { logMs: 15_000, timesMs: 5_000 }, job: { logMs: 300_000, timesMs: 60_000 } } as const;

/** Bringing logs home. */
export function createLogActivities(dependencies: ActivityDependencies) {
  const fallbackOf = (input: SaveLogInput): string => {
    const { base, dir } = path.parse(input.target);
    return path.join(dependencies.runsFolder, input.invocation, 'logs', path.basename(path.dirname(dir)), base);
  };

  return {
    /** Saves the endpoint's log so far; what is to be said about that, or `null`. */
    async saveEndpointLog(input: SaveLogInput): Promise<string | null> {
      return attempt({ subject: `log of endpoint ${input.name}`, purpose: 'step' }, async ({ signal }) => {
        const { client } = await dependencies.platform(input.platform);
        const deployment = await client.getDeployment(input.name, { signal });
        if (deployment === undefined) return null;
        return saveAll({
          ...{ client, signal, target: input.target, fallback: fallbackOf(input), budget: budgets.endpoint },
          of: { deployment: input.name },
          createdAt: deployment.metadata.created_at,
          replicas: await client.deploymentReplicas(input.name, { signal }),
          open: (replica, ended) => client.deploymentLog(input.name, replica, { signal: ended }),
        });
      });
    },

    /** Saves the job's log so far; what is to be said about that, or `null`. */
    async saveJobLog(input: SaveLogInput): Promise<string | null> {
      return attempt({ subject: `log of job ${input.name}`, purpose: 'step' }, async ({ signal }) => {
        const { id } = input;
        if (id === null) return null;
        const { client } = await dependencies.platform(input.platform);
        const job = await client.getJob(id, { signal, name: input.name });
        return saveAll({
          ...{ client, signal, target: input.target, fallback: fallbackOf(input), budget: budgets.job },
          of: { job: id },
          createdAt: job?.metadata.created_at ?? job?.status?.creation_time,
          replicas: await client.jobReplicas(id, { signal }),
          open: (replica, ended) => client.jobLog(id, replica, { signal: ended }),
        });
      });
    },
  };
}

interface Saving {
  readonly client: LeptonClient;
  readonly signal: AbortSignal;
  readonly target: string;
  /** Where to when the target can't be written. */
  readonly fallback: string;
  readonly budget: { readonly logMs: number; readonly timesMs: number };
  readonly of: LogRange['of'];
  readonly createdAt: number | undefined;
  readonly replicas: readonly { readonly id: string }[];
  readonly open: (replica: string, signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

async function saveAll(saving: Saving): Promise<string | null> {
  const { replicas, open } = saving;
  // Replicas go before their log does: what is archived, or crashed, may be known by time alone.
  if (replicas.length === 0) return saveOne(saving, { position: 0, source: (signal) => byTime(saving, signal) });
  const said: (string | null)[] = [];
  for (const [position, { id }] of replicas.entries()) {
    const source = (signal: AbortSignal) =>
      inTime((ended) => open(id, ended), {
        withinMs: saving.budget.logMs,
        lastLines: () => lastLines(saving, id),
        signal,
      });
    said.push(await saveOne(saving, { position, source, replica: id }));
  }
  return said.filter((text) => text !== null).join(' ') || null;
}

interface OneLog {
  readonly position: number;
  readonly source: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly replica?: string;
}

async function saveOne(saving: Saving, log: OneLog): Promise<string | null> {
  const target = numbered(saving.target, log.position);
  try {
    await saveTo(target, saving, log);
    return null;
  } catch (error) {
    const fault = localFault(error);
    if (!fault) throw error;
    const file = numbered(saving.fallback, log.position);
    await saveTo(file, saving, log);
    return `${target} can't be written: ${fault.reason}; the log is in ${file}.`;
  }
}

async function saveTo(file: string, saving: Saving, { source, replica }: OneLog): Promise<void> {
  const { client, signal, of, createdAt, budget } = saving;
  const secrets = unspeakable();
  const { bytes } = await saveLog({ source, file, maxBytes: maxLogBytes, signal, secrets });
  if (bytes === 0) return;
  await within({ ms: budget.timesMs, signal }, (bounded) =>
    recordLogTimes({ client, of, replica, createdAt, file, secrets, signal: bounded }),
  );
}

/** The log's lines with their times left out; nothing where the platform keeps none. */
async function* byTime({ client, of, createdAt }: Saving, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const since = new Date(createdAt ?? Date.now() - 86_400_000);
  const isOver = () => Promise.resolve(true);
  try {
    for await (const line of timedLog({ client, of, since, follow: false, isOver, signal }))
      yield Buffer.from(`${line}\n`);
  } catch (error) {
    if (!(error instanceof NoTimedLogs)) throw error;
  }
}

async function lastLines(
  { client, of, createdAt, signal }: Saving,
  replica: string,
): Promise<readonly string[] | undefined> {
  const read = async (bounded: AbortSignal): Promise<readonly string[] | undefined> => {
    for await (const page of newestLines({ client, of, replica, createdAt, signal: bounded }))
      return page.map(({ text }) => text).reverse();
    return undefined;
  };
  // Otherwise the log is read on as far as it goes.
  return within({ ms: 5_000, signal }, read).catch(() => undefined);
}

/** `logs/job.log`, and for further replicas `logs/job.1.log`. */
function numbered(file: string, position: number): string {
  if (position === 0) return file;
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.${position}${ext}`);
}

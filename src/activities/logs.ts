import path from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import type { Owner } from '../contract/inputs/owner';
import type { SaveLogInput } from '../contract/inputs/results';
import { LeptonError } from '../lepton/lepton-error';
import { isMarkedWith } from '../lepton/render-spec';
import type { Job, LeptonClient } from '../lepton/types';
import { saveDeploymentLogs, saveJobLogs } from '../results/logs/replica-logs';
import type { ResultsTarget } from '../results/store/target';
import { localFault } from '../support/local-fault';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { logTransfers } from './heavy';
import { noteOfReleased } from './release';
import { secretsToMask } from './wording';
import { writingTo } from './writing';

/**
 * Milliseconds for one log, and for the timestamps of its lines; below the activity timeouts (workflows/activity-groups.ts). An
 * endpoint costs money while its log is read; a job has ended.
 */
const budgets = { endpoint: { logMs: 15_000, timesMs: 5_000 }, job: { logMs: 300_000, timesMs: 60_000 } } as const;

/** Returns the file in this host's home for a log whose own file can't be written. Pure. */
export function fallbackOf(
  { runsFolder }: Pick<ActivityDependencies, 'runsFolder'>,
  { invocation, target }: Pick<SaveLogInput, 'invocation' | 'target'>,
): string {
  const { base, dir } = path.parse(target);
  return path.join(runsFolder, invocation, 'logs', path.basename(path.dirname(dir)), base);
}

interface Saving {
  readonly kind: 'endpoint' | 'job';
  /** `input`: what was asked, with the local file for the log's place. */
  readonly save: (asked: SaveLogInput, input: SaveLogInput, look: Look) => Promise<string | null>;
}

interface Look extends Pick<Attempt, 'signal'> {
  /** An earlier step has saved the log. */
  readonly isSaved: boolean;
  /** See `SaveReplicaLogsRequest`. */
  readonly onCut: () => void;
}

/** Activities that save logs. */
export function createLogActivities(dependencies: ActivityDependencies) {
  const secretsOf = async (input: SaveLogInput): Promise<readonly string[]> => [
    ...secretsToMask(),
    ...(await dependencies.sealedSecretsOf(input)),
  ];

  /** Calls `save` with the local file for the log's place. A log that broke off is a part, and better than nothing. */
  const saving = (asked: SaveLogInput, { kind, save }: Saving): Promise<string | null> =>
    attempt({ subject: `log of ${kind} ${asked.name}`, purpose: `${kind} log` }, async (look) => {
      const { dir, base } = path.posix.parse(asked.target);
      return writingTo(dependencies, dir, async (target) => {
        const isSaved = await renameEarlier(asked, target, look.signal);
        let isPartial = false;
        const onCut = (): void => void (isPartial = true);
        try {
          const { signal } = look;
          const input = { ...asked, target: path.join(target.folder, base) };
          const note = await save(asked, input, { signal, isSaved, onCut });
          await target.complete(signal, { isPartial });
          return note;
        } catch (error) {
          await target.complete(look.signal, { isPartial: true }).catch(() => undefined);
          throw error;
        }
      });
    });

  const saveEndpoint = async (
    asked: SaveLogInput,
    { name, platform, target }: SaveLogInput,
    { signal, isSaved, onCut }: Look,
  ): Promise<string | null> => {
    const { client, lookups } = await dependencies.platform(platform);
    const released = await noteOfReleased({ client, lookups }, name);
    if (released !== undefined) return released;
    const deployment = await lookups.deployment(name);
    if (deployment === undefined) return givenUp.get(keyOf(asked)) ?? noteOnGone(asked, isSaved);
    const how = { client, signal, secrets: await secretsOf(asked), budget: budgets.endpoint, onCut };
    const metadata = { ...deployment.metadata, name };
    return saveDeploymentLogs({ ...how, target, fallback: fallbackOf(dependencies, asked) }, { metadata });
  };

  const saveJob = async (asked: SaveLogInput, input: SaveLogInput, { signal, onCut }: Look): Promise<string | null> => {
    const { client, lookups } = await dependencies.platform(input.platform);
    const fallback = fallbackOf(dependencies, asked);
    const how = { client, signal, secrets: await secretsOf(asked), budget: budgets.job, fallback, onCut };
    if (input.id !== null) {
      const { id } = input;
      const job = await lookups.job(id, input.name);
      return logTransfers(input.invocation, () => saveJobLogs({ ...how, target: input.target }, { id, job }));
    }
    const said: (string | null)[] = [];
    for (const [position, { id, job }] of (await jobsOf(client, input, signal)).entries())
      said.push(await saveJobLogs({ ...how, target: besides(input.target, position, id) }, { id, job }));
    return said.filter((text) => text !== null).join(' ') || null;
  };

  return {
    /**
     * Saves the endpoint's log so far; returns a note for the user, or `null`. Of an endpoint that is gone, the note tells why an earlier
     * call on this worker could not save the log.
     */
    saveEndpointLog: (asked: SaveLogInput): Promise<string | null> =>
      saving(asked, { kind: 'endpoint', save: saveEndpoint }).catch((error: unknown) => {
        const note = noteOnGivenUp(asked, error);
        if (note !== undefined) remember(keyOf(asked), note);
        throw error;
      }),

    /**
     * Saves the job's log so far; returns a note for the user, or `null`. Without an id (its task was terminated, or the answer
     * to its create was lost), finds the job by name and marks, as its removal does.
     */
    saveJobLog: (asked: SaveLogInput): Promise<string | null> => saving(asked, { kind: 'job', save: saveJob }),
  };
}

/**
 * Notes on logs of endpoints that were given up. The activity that went on to remove the endpoint may run out of time before it can
 * return the note, and the next one finds no endpoint any more. In memory: another worker knows nothing of it.
 */
const givenUp = new Map<string, string>();

/** Another endpoint may have the same name later, but not the same file. */
const keyOf = ({ invocation, name, target }: Pick<SaveLogInput, 'invocation' | 'name' | 'target'>): string =>
  `${invocation} ${name} ${target}`;

function remember(key: string, note: string): void {
  if (givenUp.size > 10_000) givenUp.clear();
  givenUp.set(key, note);
}

/** Returns a note for the user if the error says that the log can't be saved for good. Pure. */
export const noteOnGivenUp = ({ name }: Pick<SaveLogInput, 'name'>, error: unknown): string | undefined =>
  error instanceof ApplicationFailure && error.nonRetryable === true
    ? `The log of endpoint ${name} could not be saved: ${error.message}.`
    : undefined;

/** Where the caller says where a log is, it has to know if there is none. Pure. */
const noteOnGone = ({ name, insteadOf }: SaveLogInput, isSaved: boolean): string | null =>
  insteadOf === undefined || isSaved
    ? null
    : `There is no log of endpoint ${name}: it was gone before its log was read.`;

/** Renames the files that an earlier step has saved this log to; returns whether the target is there then. */
async function renameEarlier(
  { insteadOf, target }: Pick<SaveLogInput, 'insteadOf' | 'target'>,
  place: Pick<ResultsTarget, 'rename'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (insteadOf === undefined) return false;
  const { name, base } = path.posix.parse(target);
  // The logs of further replicas, and the times of their lines, have names that begin with the same word.
  const own = new RegExp(`^${path.parse(insteadOf).name}((?:\\.\\d+)?\\.log(?:\\.times\\.json)?)$`);
  const newName = (one: string): string | undefined => {
    const rest = own.exec(one)?.[1];
    return rest === undefined ? undefined : `${name}${rest}`;
  };
  try {
    return (await place.rename(newName, signal)).includes(base);
  } catch (error) {
    // Where nothing can be renamed, nothing can be written either: saving goes on with another folder.
    if (localFault(error)) return false;
    throw error;
  }
}

/** Returns this task's jobs, newest first: the living ones, else the archived ones. */
async function jobsOf(
  client: LeptonClient,
  { name, furtherNames = [], invocation, index }: Owner & Pick<SaveLogInput, 'name' | 'furtherNames'>,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly job: Job }[]> {
  const find = async (mode: 'alive_only' | 'archive_only') =>
    (await client.listJobs({ name, mode }, { signal }))
      .filter(
        ({ metadata, spec }) =>
          [name, ...furtherNames].includes(metadata.name ?? '') && isMarkedWith(spec?.envs, { invocation, index }),
      )
      .sort((a, b) => (b.metadata.created_at ?? 0) - (a.metadata.created_at ?? 0))
      .flatMap((job) => (job.metadata.id === undefined ? [] : [{ id: job.metadata.id, job }]));
  const alive = await find('alive_only');
  if (alive.length > 0) return alive;
  return find('archive_only').catch((error: unknown) => {
    // A platform without an archive refuses the request.
    if (error instanceof LeptonError && (error.kind === 'invalid_request' || error.kind === 'not_found')) return [];
    throw error;
  });
}

/** Returns the log file of a task's job; further jobs, which are rare, get their own file. */
function besides(target: string, position: number, id: string): string {
  if (position === 0) return target;
  const { dir, name, ext } = path.parse(target);
  return path.join(dir, `${name}-${id.replace(/[^A-Za-z0-9_-]/g, '-')}${ext}`);
}

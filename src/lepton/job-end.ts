import { toldToStop } from '../contract/job-attempts';
import { asksReleased } from '../contract/last-request';
import type { Job, PlatformEvent } from './types';

/**
 * How a job came to its end. `from outside`: for a reason that passes and has nothing to do with what the job does; `why` names it. `by
 * itself`: nothing says otherwise.
 */
export type JobEnd = { readonly kind: 'from outside'; readonly why: string } | { readonly kind: 'by itself' };

/** Reasons that would end the next job as well. They win: a job that ran out of memory may be evicted for it. */
const lasting =
  /\bOOM|out of memory|low on resource: (?:memory|ephemeral-storage)|ephemeral[- ](?:local )?storage (?:usage )?exceed|exceeded? .{0,40}\b(?:memory|ephemeral)|DeadlineExceeded|active longer than|unauthori[sz]ed|access denied|denied: |pull access|manifest unknown|not found|invalid reference|InvalidImageName|CreateContainerConfigError/i;

/** Reasons that pass, as Kubernetes and what runs on it name them. */
const passing: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/preempt/i, 'preempted'],
  [
    /\bNode ?(?:Lost|Not ?Ready|Shutdown|Unreachable|Failure|Down)\b|\bnode\b.{0,60}\b(?:was lost|is lost|not ready|unreachable|shut(?:ting)? ?down|went away|drained|being drained|was deleted|failure)|DeletionBy(?:PodGC|TaintManager)|TaintManagerEviction|TerminationByKubelet|machine was restarted/i,
    'its node was lost',
  ],
  [/\bevict/i, 'evicted'],
  [
    /(?:image|pull).{0,200}(?:timed? ?out|timeout|connection (?:refused|reset)|TLS handshake|temporar|too many requests|toomanyrequests|\b(?:429|50[0234])\b|no such host|service unavailable|unexpected EOF)/is,
    'its image could not be pulled at the moment',
  ],
];

/** Returns the passing reason that one text of the platform names. */
const reasonIn = (text: string): string | undefined => passing.find(([pattern]) => pattern.test(text))?.[1];

export interface EndEvidence {
  readonly job: Job | undefined;
  readonly events: readonly PlatformEvent[];
  /** The last lines of its log; none if it can't be read. */
  readonly lines: readonly string[];
}

/**
 * Judges how a job ended: by what the platform says of it, and by its log, where its script says that it was told to stop. Somebody who
 * stops a job (`Stopped`) wants it stopped. Without any evidence, the job ended by itself. Pure.
 */
export function readJobEnd({ job, events, lines }: EndEvidence): JobEnd {
  const said = [
    job?.status?.message ?? '',
    ...sinceItsStart(events).map(({ reason, message = '' }) => `${reason}: ${message}`),
  ];
  if (said.some((text) => lasting.test(text))) return { kind: 'by itself' };
  const why = said.map(reasonIn).find((reason) => reason !== undefined);
  if (why !== undefined) return { kind: 'from outside', why };
  if (lines.some((line) => line.includes(asksReleased)))
    return { kind: 'from outside', why: 'started again after its last request, without its endpoint' };
  const isStopped = /stop|cancel/i.test(job?.status?.state ?? '');
  if (!isStopped && lines.some((line) => line.includes(toldToStop)))
    return { kind: 'from outside', why: 'told to stop' };
  return { kind: 'by itself' };
}

/** A job that the platform itself has started again did not end for what happened before. */
function sinceItsStart(events: readonly PlatformEvent[]): readonly PlatformEvent[] {
  const timeOf = ({ last_observed_time: at }: PlatformEvent): number => Date.parse(at) || 0;
  const startedAt = Math.max(
    ...events.filter(({ reason }) => /^(?:started|running|restarting)$/i.test(reason)).map(timeOf),
    0,
  );
  return events.filter((event) => timeOf(event) >= startedAt);
}

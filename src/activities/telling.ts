import { AsyncLocalStorage } from 'node:async_hooks';
import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import { ofTask, runWorkflowId } from '../contract/identity';
import type { CreateEndpointInput } from '../contract/inputs/endpoint';
import type { AwaitJobInput, SubmitJobInput } from '../contract/inputs/job';
import type { Owner } from '../contract/inputs/owner';
import { endpointReady, tasksProgress } from '../contract/messages';
import type { JobProgress } from '../contract/job-progress';
import { releasedWords } from '../contract/last-request';
import type { TaskNews } from '../contract/state';
import { masked } from '../contract/url-placeholders';
import { BarrierNews, type TellReady } from './barrier-news';
import { notReady } from './failures';
import { NewsBoard, type SendNews } from './news-board';
import { noteServerTime, serverNow } from './server-time';

/**
 * Tells runs which phase their tasks are in. The activities do this, not the tasks' workflows: one signal of the worker carries the
 * news of many tasks, and nothing of it is in the tasks' histories.
 */

const board = new NewsBoard();
const barriers = new BarrierNews();

/** Milliseconds for one signal. */
const signalTimeoutMs = 10_000;

type Activity = (input: never) => Promise<unknown>;
type Listened = Owner & { readonly tell: NonNullable<Owner['tell']> };

const listening = new AsyncLocalStorage<Listened>();

type Said = Omit<TaskNews, 'index'> | undefined;

/** Which job of its task a step is for. */
const attemptIn = ({
  attempt,
  earlierUsage,
}: Pick<SubmitJobInput, 'attempt' | 'earlierUsage'>): Pick<TaskNews, 'attempt' | 'earlierUsage'> => ({
  ...(attempt === undefined ? {} : { attempt }),
  ...(earlierUsage === undefined ? {} : { earlierUsage }),
});

/** What an activity of this name says when it begins. `at`: when it was scheduled, ISO 8601. */
const beginnings: Readonly<Record<string, (input: never, at: string) => Said>> = {
  createEndpoint: (input: CreateEndpointInput, at) => ({
    ...{ phase: 'creating endpoint', begun: { endpoint: at } },
    ...attemptIn(input),
  }),
  awaitEndpointReady: () => ({ phase: 'awaiting ready' }),
  probeExistingEndpoint: () => ({ phase: 'awaiting ready' }),
  awaitEndpointUrl: () => ({ phase: 'awaiting ready' }),
  submitJob: ({ name, isEarly, ...input }: SubmitJobInput, at) => ({
    ...(isEarly ? {} : { phase: 'submitting job' }),
    job: name,
    begun: { job: at },
    ...attemptIn(input),
  }),
  awaitJobCompleted: ({ isEarly }: Pick<AwaitJobInput, 'isEarly'>) => (isEarly ? undefined : { phase: 'running job' }),
  bringHome: () => ({ phase: 'fetching results' }),
  fetchResults: () => ({ phase: 'fetching results' }),
  stopJob: () => ({ phase: 'tearing down' }),
};

interface Endpoint {
  readonly endpointPath?: string;
  readonly url?: string;
}

/** What an activity says when it has succeeded. `at`: now, by the server's clock. */
const endings: Readonly<Record<string, (input: never, at: string, result: never) => Said>> = {
  awaitEndpointReady: ({ endpointPath }: Endpoint, _, { url }: { readonly url: string }) => ({
    phase: 'ready',
    ...(endpointPath === undefined ? {} : { endpointUrl: masked(`${url}${endpointPath}`) }),
  }),
  probeExistingEndpoint: ({ url = '' }: Endpoint) => ({ phase: 'ready', endpointUrl: masked(url) }),
  submitJob: ({ isEarly }: Pick<SubmitJobInput, 'isEarly'>) =>
    isEarly ? { message: 'the job has started, and waits for its endpoint' } : undefined,
  awaitJobCompleted: (_, at) => ({ ended: { job: at } }),
  stopJob: (_, at) => ({ ended: { job: at } }),
  removeJob: (_, at) => ({ ended: { job: at } }),
  removeEndpoint: (_, at) => ({ ended: { endpoint: at } }),
  saveLogAndRemoveEndpoint: (_, at) => ({ ended: { endpoint: at } }),
};

/** Wraps the activities so that they tell their runs what they do, where the input names listeners. */
export function withTelling<T extends Readonly<Record<string, Activity>>>(activities: T): T {
  const telling = Object.entries(activities).map(([name, activity]) => {
    const run = async (input: never): Promise<unknown> => {
      const { info } = Context.current();
      noteServerTime(info);
      const owner = listenedIn(input);
      if (owner === undefined) return activity(input);
      return listening.run(owner, async () => {
        const begins = beginnings[name]?.(input, new Date(info.scheduledTimestampMs).toISOString());
        if (begins) tell(owner, begins);
        const result = await activity(input);
        const ends = endings[name]?.(input, serverNow(), result as never);
        if (ends?.phase === 'ready') await tellBarrier(owner, ends);
        // A run that holds the barrier itself has just been told.
        if (ends && (ends.phase !== 'ready' || owner.tell.barrier?.runId !== owner.tell.run)) tell(owner, ends);
        return result;
      });
    };
    return [name, run] as const;
  });
  return Object.fromEntries(telling) as unknown as T;
}

/** Tells the run of the current activity's task what the platform says; `text` must be fit for history. */
export function tellMessage(text: string): void {
  const owner = listening.getStore();
  if (owner) tell(owner, { message: text });
}

/** Tells the run that the endpoint of the current activity's task was released at this time, ISO 8601. */
export function tellEndpointReleased(at: string): void {
  const owner = listening.getStore();
  if (owner) tell(owner, { message: releasedWords, ended: { endpoint: at } });
}

/** Returns a function that tells the run how far the current activity's job is, also once the activity does something else. */
export function progressTeller(): (progress: JobProgress) => void {
  const owner = listening.getStore();
  return (progress) => {
    if (owner) tell(owner, { progress });
  };
}

/** Tells the run that the endpoint of the current activity's task is gone; returns when, ISO 8601. */
export function tellEndpointGone(): string {
  const at = serverNow();
  const owner = listening.getStore();
  if (owner) tell(owner, { ended: { endpoint: at } });
  return at;
}

/** Sends at once what has not been sent yet: the worker ends. */
export const flushNews = (): Promise<void> => board.flush();

function listenedIn(input: unknown): Listened | undefined {
  const owner = (input ?? {}) as Partial<Listened>;
  return owner.tell === undefined ? undefined : (owner as Listened);
}

function tell({ invocation, index, tell: { run } }: Listened, news: Omit<TaskNews, 'index'>): void {
  const { client } = Context.current();
  const handle = client.workflow.getHandle(runWorkflowId(invocation), run);
  const send: SendNews = async (all) => {
    try {
      await client.withDeadline(Date.now() + signalTimeoutMs, () => handle.signal(tasksProgress, all));
      return 'sent';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'gone';
      throw error;
    }
  };
  board.tell(`${invocation}/${run}`, { index, ...news }, send);
}

/** Tells who waits for it that the endpoint is Ready. The activity is retried until that has arrived: jobs wait for it. */
async function tellBarrier(
  { index, tell: { barrier } }: Listened,
  { endpointUrl }: Omit<TaskNews, 'index'>,
): Promise<void> {
  if (barrier === undefined) return;
  const { client } = Context.current();
  const ready = { index, ...(endpointUrl === undefined ? {} : { endpointUrl }) };
  const parent = client.workflow.getHandle(barrier.workflowId, barrier.runId);
  const send: TellReady = async ([first, ...others]) => {
    if (!first) return;
    const told = others.length === 0 ? first : { ...first, others };
    await client.withDeadline(Date.now() + signalTimeoutMs, () => parent.signal(endpointReady, told));
  };
  try {
    await (barrier.toldTogether ? barriers.tell(`${barrier.workflowId}/${barrier.runId}`, ready, send) : send([ready]));
  } catch (error) {
    // Its run is over, and this task will hear that it is cancelled.
    if (error instanceof WorkflowNotFoundError) return;
    throw notReady(`the endpoint${ofTask(index)} is Ready, but its run could not be told`, 1_000);
  }
}

import { z } from 'zod';
import { eventSchema, jobSchema, replicaSchema } from './answers';
import { logQuery, nameless, segment, type Requests } from './requests';
import type { CallOptions, Job, JobFilter, JobQueryMode, LeptonClient } from './types';

type JobCalls = Pick<
  LeptonClient,
  'listJobs' | 'jobPages' | 'getJob' | 'createJob' | 'stopJob' | 'deleteJob' | 'jobEvents' | 'jobReplicas' | 'jobLog'
>;

/** The page size of the service's own client. A server may return less. */
const pageSize = 500;

/** No workspace has half a million jobs: a server that returns more pages is broken. */
const maxPages = 1_000;

const jobsPageSchema = z.union([
  z.array(z.unknown()),
  z.looseObject({ jobs: z.array(z.unknown()).nullish() }),
  z.null(),
]);

const aliveAndArchived = { job_query_mode: 'alive_and_archive' } satisfies { job_query_mode: JobQueryMode };

/** Returns a function that yields pages of jobs, each job once. */
function pagesOf(requests: Requests) {
  const readPage = async (page: number, filter: JobFilter, options?: CallOptions) => {
    const query = {
      job_query_mode: filter.mode ?? aliveAndArchived.job_query_mode,
      ...(filter.name === undefined ? {} : { q: filter.name }),
      page: String(page),
      page_size: String(pageSize),
    };
    // A platform without an archive may answer 404.
    const isCoreRoute = filter.mode !== 'archive_only';
    const call = { method: 'GET', path: '/jobs', query, isCoreRoute, options } as const;
    const answer = requests.check(call, await requests.json(call), jobsPageSchema);
    return requests.items(call, Array.isArray(answer) ? answer : (answer?.jobs ?? []), jobSchema);
  };

  return async function* jobPages(filter: JobFilter = {}, options?: CallOptions): AsyncGenerator<readonly Job[]> {
    const seen = new Set<string | undefined>();
    for (let page = 1; page <= maxPages; page += 1) {
      const jobs = await readPage(page, filter, options);
      const fresh = jobs.filter(({ metadata: { id } }) => !seen.has(id) && seen.add(id));
      // The end, or a server that ignores `page` and repeats the first one.
      if (fresh.length === 0) return;
      yield fresh;
    }
    throw requests.invalid({ method: 'GET', path: '/jobs' }, `more than ${maxPages} pages of jobs`);
  };
}

export function jobCalls(requests: Requests): JobCalls {
  const pathOf = (id: string, rest = '') => `/jobs/${segment(id)}${rest}`;

  const jobPages = pagesOf(requests);

  const listJobs: JobCalls['listJobs'] = async (filter, options) => {
    const all: Job[] = [];
    for await (const page of jobPages(filter, options)) all.push(...page);
    return all;
  };

  return {
    listJobs,
    jobPages,
    async getJob(id, options) {
      const query = { job_query_mode: options?.mode ?? aliveAndArchived.job_query_mode };
      const call = { method: 'GET', path: pathOf(id), query, options } as const;
      const answer = await requests.lookup(call);
      if (answer.kind === 'found') return requests.check(call, answer.value, jobSchema);
      if (options?.isUnlisted) return undefined;
      const filter = { mode: query.job_query_mode, ...(options?.name === undefined ? {} : { name: options.name }) };
      return (await listJobs(filter, options)).find((job) => job.metadata.id === id);
    },
    async createJob({ name, spec }, options) {
      if (name === '') throw nameless('POST /jobs');
      const json = { metadata: { id: name, name }, spec };
      return requests.one({ method: 'POST', path: '/jobs', json, options }, jobSchema);
    },
    async stopJob(id, options) {
      await requests.send({ method: 'PATCH', path: pathOf(id), json: { spec: { stopped: true } }, options });
    },
    async deleteJob(id, options) {
      const query = { job_query_mode: 'alive_only' satisfies JobQueryMode };
      const call = { method: 'DELETE', path: pathOf(id), query, acceptedStatuses: [404], options } as const;
      return (await requests.send(call)).status !== 404;
    },
    jobEvents: (id, options) => requests.list({ method: 'GET', path: pathOf(id, '/events'), options }, eventSchema),
    jobReplicas: (id, options) =>
      requests.list({ method: 'GET', path: pathOf(id, '/replicas'), query: aliveAndArchived, options }, replicaSchema),
    jobLog: (id, replica, options) => {
      const path = pathOf(id, `/replicas/${segment(replica)}/log`);
      return requests.stream({ method: 'GET', path, query: logQuery(options), options }, { idleTimeoutMs: null });
    },
  };
}

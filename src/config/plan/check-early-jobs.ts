/** Checks that `execution.start_jobs_early` can have an effect. */
import type { ResolvedConfig } from '../schema/config';
import type { ProblemReport } from './problem-report';

const path = 'execution.start_jobs_early';

/** `deploys`: the run has endpoints of its own. */
export function checkEarlyJobs({ execution }: ResolvedConfig, deploys: boolean, report: ProblemReport): void {
  if (!execution.start_jobs_early) return;
  if (!deploys) report.add(path, 'has no effect: the run deploys no endpoint that a job could wait for', 'remove it');
  else if (execution.start_policy === 'all_ready')
    report.add(
      path,
      'contradicts `start_policy: all_ready`: a job that has started begins to evaluate when its own endpoint is ready, and cannot wait for the others',
      'set execution.start_policy: as_ready, or remove it',
    );
}

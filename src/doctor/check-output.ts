import path from 'node:path';
import type { RunPlan } from '../contract/plan';
import { UsageFault } from '../support/usage-fault';
import { whyNotWritable } from '../support/writable';
import { misfit, ok, type Finding } from './finding';

/** Results could not be written, which must be known before anything costs money. */
export class OutputUnusable extends UsageFault {
  override readonly name = 'OutputUnusable';
}

const advice = 'choose another with -o execution.output_dir=FOLDER, or fix this one';

const whyUnusable = async ({ outputDir }: Pick<RunPlan, 'outputDir'>): Promise<string | undefined> => {
  const reason = await whyNotWritable(outputDir);
  return reason && `execution.output_dir ${path.dirname(outputDir)} can't be written: ${reason}`;
};

/** Throws `OutputUnusable` if the run's results could not be written. */
export async function admitOutput(plan: Pick<RunPlan, 'outputDir'>): Promise<void> {
  const fault = await whyUnusable(plan);
  if (fault !== undefined) throw new OutputUnusable(`${fault}. Nothing was created; ${advice}.`);
}

/** Checks the same, and returns a finding. */
export async function checkOutput(plan: Pick<RunPlan, 'outputDir'>): Promise<Finding> {
  const fault = await whyUnusable(plan);
  return fault === undefined
    ? ok('results', `go to ${path.dirname(plan.outputDir)}`)
    : misfit('results', fault, advice);
}

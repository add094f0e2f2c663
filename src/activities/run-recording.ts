import path from 'node:path';
import { Context, log } from '@temporalio/activity';
import type { RecordRunInput } from '../contract/inputs/run';
import { ownerIn } from '../contract/owner';
import { isInStore, resultsPlaceOf } from '../contract/results-place';
import { hasStorageToFetch } from '../contract/state';
import { openStore } from '../results/store/open-store';
import { StoreError } from '../results/store/store-error';
import { writeAtomically } from '../support/atomic-file';
import { messageOf } from '../support/error-message';
import { localFault } from '../support/local-fault';
import { writeRunRecord, type RunRecord } from '../results/scores/run-record';
import { attempt } from './attempt';
import type { Verdict } from '../contract/verdict';
import { cancelledBy } from './cancelled-by';
import type { ActivityDependencies } from './dependencies';
import { askRun, buildRunRecord, type RunToRecord } from './run-record';
import { writingTo } from './writing';

/** Creates the activity that records a run. */
export function createRunRecording(dependencies: ActivityDependencies) {
  /** Writes `run.json`; where a lasting fault of the place prevents that, into this host's home. */
  async function recordIn(place: string, input: RunToRecord): Promise<void> {
    const inHome = path.join(dependencies.runsFolder, input.run.invocation);
    const { runsFolder, stagingFolder: staging } = dependencies;
    const env = await dependencies.storeEnvironment();
    await writingTo(dependencies, place, async (target) => {
      const record = await buildRunRecord(input, { runsFolder, place, env, staging });
      const write = async (folder: string): Promise<void> => {
        await Promise.all([writeRunRecord(folder, record), writeReport(folder, record)]);
      };
      try {
        await write(target.folder);
        await target.complete(Context.current().cancellationSignal);
        if (isInStore(place)) await (await openStore(place, env)).endStaleUploads();
      } catch (error) {
        const isLasting =
          localFault(error) !== undefined || (error instanceof StoreError && error.kind !== 'unavailable');
        if (!isLasting) throw error;
        await write(inHome);
      }
    });
  }

  return {
    /**
     * Writes `run.json` and `report.html` beside the results or, if that fails, into this host's home. Then deletes the run's stored secrets, unless
     * they are needed to mask results fetched later. The last activity of every run.
     */
    async recordRun(input: RecordRunInput): Promise<void> {
      await attempt({ subject: `record of run ${input.run.invocation}`, purpose: 'teardown' }, async () => {
        const { run } = input;
        const snapshot = input.snapshot ?? (await askRun());
        await auditEnd(input);
        try {
          await recordIn(resultsPlaceOf(run), { ...input, snapshot });
        } finally {
          const { invocation, secretsAt } = ownerIn(run, 0);
          if (!hasStorageToFetch(snapshot)) await dependencies.forgetHostSecrets({ invocation, secretsAt });
        }
      });
    },
  };
}

/** Says in the worker's log how a run ended and, if somebody cancelled it, who. Never fails. */
async function auditEnd({ run, outcome }: RecordRunInput): Promise<void> {
  const { info, client } = Context.current();
  const by =
    mayBeCancelled(outcome) && info.workflowExecution
      ? await cancelledBy(client, info.workflowExecution).catch(() => undefined)
      : undefined;
  const { owner, model } = run;
  log.info('audit: a run ends', {
    audit: 'end',
    outcome,
    owner,
    model,
    ...(by === undefined ? {} : { cancelledBy: by }),
  });
}

/** A run that was cancelled and could not remove everything says only the latter. */
const mayBeCancelled = (outcome: Verdict): boolean => outcome === 'cancelled' || outcome === 'teardown incomplete';

/** A report can be made again from the record (`results --format html`), so that nothing fails without it. */
async function writeReport(folder: string, record: RunRecord): Promise<void> {
  try {
    // The plotting library is loaded only where it is used: it takes a third of a second.
    const [{ runReport, reportFile }, { reportedRun }] = await Promise.all([
      import('../report/run/run-report.js'),
      import('../report/run/reported-run.js'),
    ]);
    const text = runReport([reportedRun(record)], { writtenAt: record.endedAt, version: record.versions.evalsaga });
    await writeAtomically(path.join(folder, reportFile), (draft) => draft.writeFile(text));
  } catch (error) {
    log.warn('the report of a run could not be made', { invocation: record.invocation, error: messageOf(error) });
  }
}

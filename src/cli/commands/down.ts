import { partIndices } from '../../contract/parts';
import { listRuns } from '../../client';
import { mapConcurrently } from '../../support/map-concurrently';
import { openRuns as storedRuns, unreadableRuns } from '../../home/run-store';
import { recordedTeardown } from '../../results/scores/recorded';
import { ownerAmong } from '../../cleanup/owners';
import { findTemporal } from '../../stack/stack';
import { stackStatus } from '../../stack/status';
import { stopStack } from '../../stack/stop';
import { runningUnits, type RunningUnit } from '../../local-platform/runtimes/process/still-running';
import { connectClient } from '../../temporal/connect';
import { temporalTarget } from '../../temporal/target';
import { flag, type CommandBody, type CommandContext } from '../command';
import { UsageError } from '../usage-error';
import { done } from '../exit-code';
import { programName } from '../program-name';

/** `down`: stops the background processes. Refuses while runs are open, because nobody would tear down their endpoints. */
export const down: CommandBody = async (input, context) => {
  const { home, output, env } = context;
  const open = flag(input, 'force') ? [] : await openRuns(context);
  if (open.length > 0) {
    const program = programName(env);
    throw new UsageError(
      `${open.length === 1 ? 'A run is' : `${open.length} runs are`} open: ${open.join(', ')}. Their endpoints would stay up with nobody to tear them down. ` +
        `Wait, or cancel: ${program} cancel ${open[0]}. With --force the background processes stop now, and the runs go on at the next ${program} up.`,
    );
  }
  const stopped = await stopStack({ home, report: (line) => output.note(output.style.dim(line)) });
  output.answer(stopped.length > 0 ? `stopped: ${stopped.join(', ')}` : 'nothing was running');
  const units = await runningUnits(home.platform);
  if (units.length > 0) output.answer(stillRunning(units, programName(env)));
  if (temporalTarget(env).kind === 'cluster')
    output.note(
      'The cluster keeps sweeping what runs of this home may leave, with any worker that serves it; each schedule (eval-sweep-…) ends by itself 90 days after the last start on its platform.',
    );
  return done;
};

/** Lists the platform's processes, which outlive it on purpose so that runs can continue, but use memory and CPU meanwhile. */
function stillRunning(units: readonly RunningUnit[], program: string): string {
  const named = units.map(({ kind, name, pid }) => `  ${kind} ${name} (process ${pid})`);
  return [
    'still running on this machine, because runs need them to continue:',
    ...named,
    `${program} up takes them over again. To end them: ${program} up, then ${program} cancel ID for a run that is open, ${program} sweep for one that is over.`,
  ].join('\n');
}

/** Finds the open runs of this home's embedded server. Runs on a cluster don't need this machine's processes to be torn down. */
async function openRuns({ home, env }: CommandContext): Promise<string[]> {
  const services = await stackStatus(home);
  if (!services.some(({ name, state }) => name !== 'platform' && name !== 'codec' && state === 'running')) return [];
  const temporal = await findTemporal(home, env);
  if (!temporal) return [];
  const client = await connectClient({ ...temporal, timeoutMs: 5_000 });
  // Temporal's list lags. This host's records have runs that just started, and each run is asked whether it is over.
  const listed = (await listRuns(client, { limit: 200 })).filter(({ status }) => status === 'running');
  const candidates = new Map(listed.map(({ invocation }) => [invocation, [] as readonly number[]]));
  for (const { plan } of await storedRuns(home)) {
    if (!(await recordedTeardown(plan, home))) candidates.set(plan.invocation, partIndices(plan));
  }
  for (const { invocation } of await unreadableRuns(home)) candidates.set(invocation, []);
  const states = await mapConcurrently([...candidates], concurrency, async ([invocation, indices]) => ({
    invocation,
    owner: await ownerAmong(client, invocation, indices),
  }));
  return states.filter(({ owner }) => owner.kind === 'live').map(({ invocation }) => invocation);
}

/** Runs asked in parallel. */
const concurrency = 4;

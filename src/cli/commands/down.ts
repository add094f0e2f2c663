import { listRuns } from '../../client';
import { inLanes } from '../../home/lanes';
import { openRuns as storedRuns } from '../../home/run-store';
import { recordedTeardown } from '../../results/recorded';
import { ownerAmong } from '../../sweeper/owners';
import { findTemporal } from '../../stack/stack';
import { stackStatus } from '../../stack/status';
import { stopStack } from '../../stack/stop';
import { connectClient } from '../../temporal/connect';
import { flag, type CommandBody, type CommandContext } from '../command';
import { UsageError } from '../errors';
import { done } from '../exit-code';
import { programName } from '../program-name';

/** `down`: ends the background processes. Not while runs are open, whose endpoints would go on without anyone to tear them down. */
export const down: CommandBody = async (input, context) => {
  const { home, output, env } = context;
  const open = flag(input, 'force') ? [] : await openRuns(context);
  if (open.length > 0) {
    const program = programName(env);
    throw new UsageError(
      `${open.length === 1 ? 'A run is' : `${open.length} runs are`} open: ${open.join(', ')}. Their endpoints would stay up with nobody to tear them down. ` +
        `Wait, or cancel: ${program} cancel ${open[0]}. With --force everything stops now, and the runs go on at the next ${program} up.`,
    );
  }
  const stopped = await stopStack({ home, report: (line) => output.note(output.style.dim(line)) });
  output.answer(stopped.length > 0 ? `stopped: ${stopped.join(', ')}` : 'nothing was running');
  return done;
};

/** Of this home's embedded server; a cluster goes on without us. */
async function openRuns({ home, env }: CommandContext): Promise<string[]> {
  const services = await stackStatus(home);
  if (!services.some(({ name, state }) => name !== 'platform' && name !== 'codec' && state === 'running')) return [];
  const temporal = await findTemporal(home, env);
  if (!temporal) return [];
  const client = await connectClient({ ...temporal, timeoutMs: 5_000 });
  // Temporal's list lags: this host knows of a run that began a moment ago, and each run itself says whether it is over.
  const listed = (await listRuns(client, { limit: 200 })).filter(({ status }) => status === 'running');
  const candidates = new Map(listed.map(({ invocation }) => [invocation, [] as readonly number[]]));
  for (const { plan } of await storedRuns(home)) {
    if (!(await recordedTeardown(plan, home)))
      candidates.set(
        plan.invocation,
        plan.tasks.map(({ index }) => index),
      );
  }
  const states = await inLanes([...candidates], lanes, async ([invocation, indices]) => ({
    invocation,
    owner: await ownerAmong(client, invocation, indices),
  }));
  return states.filter(({ owner }) => owner.kind === 'live').map(({ invocation }) => invocation);
}

/** Runs asked at once. */
const lanes = 4;

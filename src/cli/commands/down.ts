import { listRuns } from '../../client';
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
  const runs = await listRuns(client, { limit: 200 });
  return runs.filter(({ status }) => status === 'running').map(({ invocation }) => invocation);
}

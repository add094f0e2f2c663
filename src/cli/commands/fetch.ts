import path from 'node:path';
import { resolveInvocation } from '../../client';
import { isStoredHere } from '../../home/run-store';
import type { LocalResults } from '../../runs/local-results';
import { textOption, type CommandBody, type CommandContext } from '../command';
import { wantsJson } from '../config-input';
import { done } from '../exit-code';
import { openSession, runAddress, type Session } from '../session';
import { UsageError } from '../usage-error';

/** `fetch ID`: copies a run's files from its results store to this machine. */
export const fetchResults: CommandBody = async (input, context) => {
  const { home, output, cwd } = context;
  const { prefix, index } = runAddress(input.arguments[0]);
  if (index !== undefined) throw new UsageError('A run is fetched as a whole: give its id without a task number.');
  const session = await openSession(context);
  const invocation = await resolveInvocation(session.client, prefix, home);
  const wanted = textOption(input, 'outputDir');
  const below = wanted ?? ((await isStoredHere(home, invocation)) ? undefined : 'results');
  const folder = below === undefined ? undefined : path.resolve(cwd, below, invocation);
  const { folder: target, copied } = await copyResults({ session, invocation, folder }, context);
  const { files = 0, bytes = 0, fetched = 0 } = copied ?? {};
  if (wantsJson(input)) output.json({ invocation, folder: target, files, bytes, fetched });
  else
    output.answer(
      copied === null
        ? `the results of run ${invocation} are in ${target}`
        : copiedText({ invocation, target, files, fetched }),
    );
  return done;
};

const copiedText = (of: { invocation: string; target: string; files: number; fetched: number }): string =>
  of.files === 0
    ? `the results store has nothing of run ${of.invocation} yet`
    : `${of.files} files of run ${of.invocation} are in ${of.target}${of.fetched === of.files ? '' : ` (${of.files - of.fetched} of them were there already)`}`;

/** Copies what is new in the run's results store, and shows progress. */
export async function copyResults(
  wanted: {
    readonly session: Pick<Session, 'client'> | undefined;
    readonly invocation: string;
    /** The run's own folder; default as in `localResults`. */
    readonly folder?: string | undefined;
    readonly only?: ((relative: string) => boolean) | undefined;
  },
  { home, env, output }: CommandContext,
): Promise<LocalResults> {
  const { localResults } = await import('../../runs/local-results.js');
  const { session, ...which } = wanted;
  let said = Date.now();
  return localResults({
    ...which,
    client: session?.client,
    home,
    env,
    refresh: true,
    onFile: ({ files, bytes }) => {
      if (Date.now() - said < sayEveryMs) return;
      said = Date.now();
      output.note(output.style.dim(`${files} files, ${Math.round(bytes / 1024 / 1024)} MiB so far`));
    },
  });
}

/** Milliseconds between two lines of progress. */
const sayEveryMs = 5_000;

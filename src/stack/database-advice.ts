import { existsSync } from 'node:fs';
import { openRuns, unreadableRuns } from '../home/run-store';
import type { HomePaths } from '../home/paths';
import { recordedTeardown } from '../results/scores/recorded';
import type { DatabaseFault } from './database';

/** A shell command that moves a database with its journals, without which it lacks its last changes. */
const moveAway = (file: string): string => {
  const files = ['', '-wal', '-shm', '-journal'].map((suffix) => file + suffix).filter((name) => existsSync(name));
  return `mkdir '${file}.damaged' && mv ${files.map((name) => `'${name}'`).join(' ')} '${file}.damaged'`;
};

/** Describes what a fault (see `databaseFault`) costs, and what to do. */
export async function databaseAdvice(home: HomePaths, { kind, words }: DatabaseFault): Promise<string> {
  const file = home.temporalDatabase;
  const what = `The database of this home's Temporal server, ${file}, ${words}.`;
  switch (kind) {
    case 'full':
      return `${what} Nothing is lost: free some space, then evalsaga up.`;
    case 'no access':
      return `${what} Nothing is lost: correct its permissions, then evalsaga up.`;
    case 'damaged': {
      const { lost, anew } = await withoutIt(home);
      return [what, lost, `Move it away ${anew}`].join('\n');
    }
    case 'another version': {
      const { lost, anew } = await withoutIt(home);
      const other =
        'The `temporal` command that wrote it can still read it: set TEMPORAL_CLI_PATH to one of that version, and nothing is lost.';
      return [what, other, `Otherwise move it away ${anew}`, lost].join('\n');
    }
  }
}

/** Says what is lost without the database, and how to go on once it is moved away. */
async function withoutIt(home: HomePaths): Promise<{ readonly lost: string; readonly anew: string }> {
  const runs = await openRuns(home);
  const open = await Promise.all(
    runs.map(async ({ plan }) => ((await recordedTeardown(plan, home)) ? [] : [plan.invocation])),
  );
  const unreadable = (await unreadableRuns(home)).map(({ invocation }) => invocation);
  const named = [...open.flat(), ...unreadable].slice(0, 10);
  const cleanUp =
    named.length > 0 ? named.map((id) => `evalsaga cleanup ${id} --force`).join(', ') : 'evalsaga cleanup ID --force';
  const lost = `Lost with it: the state and history of this home's runs${named.length > 0 ? `, of which these are not known to be over: ${named.join(', ')}` : ''}. Results that were fetched are safe.`;
  const anew = `and start with a new one: ${moveAway(home.temporalDatabase)}, then evalsaga up. To remove endpoints, jobs and storage of those runs: evalsaga sweep, or ${cleanUp}`;
  return { lost, anew };
}

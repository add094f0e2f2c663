import type { HomePaths } from '../home/paths';
import { whyNotWritable } from '../support/writable';
import { fail, ok, type Finding } from './finding';

/** Checks whether files can be written to the home, which everything needs. */
export async function checkHomeFolder({ root }: Pick<HomePaths, 'root'>): Promise<Finding> {
  const reason = await whyNotWritable(root);
  return reason === undefined
    ? ok('home', root)
    : fail(
        'home',
        `${root} can't be written: ${reason}`,
        'free some space or fix its permissions, or set EVALSAGA_HOME',
      );
}

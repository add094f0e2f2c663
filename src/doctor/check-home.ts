import type { HomePaths } from '../home/paths';
import { whyNotWritable } from '../support/writable';
import { fail, ok, type Finding } from './finding';

/** Whether the home takes files: nothing runs without. */
export async function checkHomeFolder({ root }: Pick<HomePaths, 'root'>): Promise<Finding> {
  const reason = await whyNotWritable(root);
  return reason === undefined
    ? ok('home', root)
    : fail('home', `${root} can't be written: ${reason}`, 'make room or mend its permissions, or set EVALSAGA_HOME');
}

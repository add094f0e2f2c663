import { UsageFault } from '../support/usage-fault';
import { whyNotWritable } from '../support/writable';
import type { HomePaths } from './paths';

/** The home can't be used: nothing of this program's can be kept there. */
export class HomeUnusable extends UsageFault {
  override readonly name = 'HomeUnusable';
}

/** Throws `HomeUnusable` when the home, or the folder that it would be made in, takes no files. */
export async function checkHome({ root }: Pick<HomePaths, 'root'>): Promise<void> {
  const reason = await whyNotWritable(root);
  if (reason === undefined) return;
  throw new HomeUnusable(
    `The home folder ${root} can't be used: ${reason}. Make room or mend its permissions, or set EVALSAGA_HOME to a folder that can be written.`,
  );
}

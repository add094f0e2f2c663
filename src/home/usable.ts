import { UsageFault } from '../support/usage-fault';
import { whyNotWritable } from '../support/writable';
import type { HomePaths } from './paths';

/** The home folder can't be written. */
export class HomeUnusable extends UsageFault {
  override readonly name = 'HomeUnusable';
}

/** Throws `HomeUnusable` if files can't be created in the home, or in the folder that it would be created in. */
export async function checkHome({ root }: Pick<HomePaths, 'root'>): Promise<void> {
  const reason = await whyNotWritable(root);
  if (reason === undefined) return;
  throw new HomeUnusable(
    `The home folder ${root} can't be used: ${reason}. Make room or mend its permissions, or set EVALSAGA_HOME to a folder that can be written.`,
  );
}

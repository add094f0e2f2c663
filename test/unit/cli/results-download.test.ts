import type { CommandContext } from '../../../src/cli/command';
import { results } from '../../../src/cli/commands/results';
import { UsageError } from '../../../src/cli/usage-error';
import { homePaths } from '../../../src/home/paths';

/** `--download` copies the files of a whole run: an address of less is refused, before anything is asked. */

const context = { env: {}, cwd: '/', home: homePaths({ EVALSAGA_HOME: '/nowhere' }) } as unknown as CommandContext;

test.each([[['3f2a.0']], [['3f2a/tuned']], [['3f2a.e0']], [['3f2a', '8c01']]])(
  '%s with --download is a usage error',
  async (args) => {
    const refused = results({ arguments: args, options: { download: 'copy' } }, context);
    await expect(refused).rejects.toThrow(/--download takes the files of one run/);
    await expect(refused).rejects.toBeInstanceOf(UsageError);
  },
);

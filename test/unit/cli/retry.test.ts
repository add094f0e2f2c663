import type { CommandContext } from '../../../src/cli/command';
import { retry } from '../../../src/cli/commands/retry';
import { exitCodeOfError } from '../../../src/cli/exit-code';

/** It is refused before anything is looked at: no connection, no home. */
const nowhere = {} as CommandContext;

test('`retry` of one task refuses `-t`, which would have no effect', async () => {
  const asked = retry({ arguments: ['3f2a90c1.0'], options: { task: ['no-such-task'] } }, nowhere);
  const error: unknown = await asked.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ message: expect.stringMatching(/3f2a90c1\.0 names a task, and so does -t/) });
  expect(exitCodeOfError(error)).toBe(2);
});

import { TestWorkflowEnvironment } from '@temporalio/testing';
import { messageOf } from '../support/error-message';

/** Run as `node fetch-server.js FOLDER`: makes the SDK download its development server into FOLDER. */
async function fetchServer(folder: string): Promise<void> {
  const executable = { type: 'cached-download', downloadDir: folder } as const;
  const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
  await environment.teardown();
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: fetch-server FOLDER');
fetchServer(folder).catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
});

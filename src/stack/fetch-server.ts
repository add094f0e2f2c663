import { readFileSync } from 'node:fs';
import { Runtime } from '@temporalio/worker';
import { messageOf } from '../support/error-message';

/**
 * Run as `node fetch-server.js FOLDER`: makes the SDK download its development server into FOLDER, and stops it at once. This is what
 * `TestWorkflowEnvironment.createLocal` of `@temporalio/testing` does, without a package for tests among the product's dependencies.
 */
async function fetchServer(folder: string): Promise<void> {
  const runtime = Runtime.instance();
  const server = await runtime.createEphemeralServer({
    type: 'dev-server',
    exe: {
      type: 'cached-download',
      downloadDir: folder,
      version: 'default',
      ttl: 86_400_000,
      sdkName: 'sdk-typescript',
      sdkVersion: sdkVersion(),
    },
    ip: '127.0.0.1',
    port: null,
    ui: false,
    uiPort: null,
    namespace: 'default',
    dbFilename: null,
    log: { format: 'pretty', level: 'warn' },
    extraArgs: [],
  });
  await runtime.shutdownEphemeralServer(server);
}

const sdkVersion = (): string => {
  const manifest = readFileSync(require.resolve('@temporalio/worker/package.json'), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
};

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: fetch-server FOLDER');
fetchServer(folder).catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
});

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { provisionOnce } from '../../provision/once';
import { run, type Provisioning } from '../../provision/python';

/** Pinned exactly because model-server/native.ts uses the native binding. */
const VERSION = '3.22.1';

/** node-llama-cpp's binary packages that need no GPU, by platform and architecture. */
const BINARY_PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'linux-arm': 'linux-armv7l',
  'darwin-arm64': 'mac-arm64-metal',
  'darwin-x64': 'mac-x64',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
};

/**
 * Installs node-llama-cpp with this platform's CPU binary through npm, once, and resolves to its folder. Install
 * scripts don't run, so nothing is compiled or downloaded from elsewhere; npm verifies each package's digest.
 */
export async function provisionModelServer({ home, report, signal }: Provisioning): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const binary = BINARY_PACKAGES[platform];
  if (!binary) {
    throw new Error(
      `The local model server has no binary for ${platform}. It runs on ${Object.keys(BINARY_PACKAGES).join(', ')}. ` +
        'On other machines, use an endpoint that runs elsewhere (deployment: none) or a Lepton workspace.',
    );
  }
  return provisionOnce({
    folder: path.join(home.runtimes, `node-llama-cpp-${VERSION}-${binary}`),
    key: VERSION,
    label: 'model server',
    report,
    signal,
    async produce(draft, progress) {
      progress(`installing node-llama-cpp ${VERSION} with npm`);
      await writeFile(path.join(draft, 'package.json'), '{"private":true,"name":"evalsaga-model-server"}\n');
      await run({
        what: `Installing node-llama-cpp ${VERSION} with npm`,
        advice: 'Check that npm reaches its registry (npm ping), then try again.',
        file: process.platform === 'win32' ? 'npm.cmd' : 'npm',
        args: [
          ...[
            'install',
            '--save-exact',
            '--ignore-scripts',
            '--omit=optional',
            '--no-audit',
            '--no-fund',
            '--loglevel=error',
          ],
          ...[`node-llama-cpp@${VERSION}`, `@node-llama-cpp/${binary}@${VERSION}`],
        ],
        cwd: draft,
        signal,
      });
      const checkFile = path.join(draft, 'check.mjs');
      await writeFile(checkFile, LOAD_CHECK);
      await run({
        what: 'Loading the installed node-llama-cpp',
        file: process.execPath,
        args: [checkFile],
        signal,
      });
    },
  });
}

/**
 * Loads and unloads the native library. It must be a file, because the package tests its binary by starting a process
 * like this one.
 */
const LOAD_CHECK = `
import { getLlama } from 'node-llama-cpp';
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, logLevel: 'error' });
await llama.dispose();
process.exit(0);
`;

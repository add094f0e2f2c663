import { execFileSync } from 'node:child_process';
import path from 'node:path';

const dist = path.resolve(__dirname, '..', '..', '..', 'dist');

/** Returns what a process has loaded once it has the given files: ours by their path below dist/, packages by their name. */
function loadedBy(...files: readonly string[]): {
  readonly own: readonly string[];
  readonly packages: readonly string[];
} {
  const code = `for (const file of ${JSON.stringify(files)}) require(${JSON.stringify(dist)} + '/' + file); console.log(JSON.stringify(Object.keys(require.cache)))`;
  const loaded = JSON.parse(execFileSync(process.execPath, ['-e', code], { encoding: 'utf8' })) as string[];
  const packages = loaded.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
  return {
    own: loaded.filter((file) => file.startsWith(`${dist}/`)).map((file) => path.relative(dist, file)),
    packages: [...new Set(packages)],
  };
}

describe('what a command loads', () => {
  test('a start on Lepton: nothing of the local platform, the S3 client or the worker', () => {
    const { own, packages } = loadedBy('cli/commands/start.js', 'cli/attach/launch.js');
    expect(own).toContain('runs/start.js');
    expect(own.filter((file) => file.startsWith('local-platform/'))).toEqual([]);
    expect(packages).toContain('@temporalio/client');
    expect(
      packages.filter((name) =>
        /^(hono|@hono\/|@fastify\/|@aws-sdk\/|@temporalio\/(worker|core-bridge)|linkedom)/.test(name),
      ),
    ).toEqual([]);
  });

  test('the library: nothing of the local platform or the worker until it is used', () => {
    const { own, packages } = loadedBy('library.js');
    expect(own.filter((file) => file.startsWith('local-platform/'))).toEqual([]);
    expect(
      packages.filter((name) => /^(hono|@hono\/|@aws-sdk\/|@temporalio\/(worker|core-bridge))/.test(name)),
    ).toEqual([]);
  });

  test('a dry run: not even the Temporal client', () => {
    const { packages } = loadedBy('cli/commands/start.js');
    expect(packages).not.toContain('@temporalio/client');
  });
});

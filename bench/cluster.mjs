import { spawn } from 'node:child_process';
import path from 'node:path';
import { firstLine, root } from './lab.mjs';

/** Starts the Temporal Server with PostgreSQL of `npm run test:cluster`, built there before. `address`: `host:port`. */
export async function openCluster() {
  const child = spawn(
    process.execPath,
    ['--require', path.join(root, 'scripts', 'typescript.cjs'), path.join(root, 'test', 'cluster', 'serve.ts')],
    { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const over = new Promise((resolve) => child.once('exit', resolve));
  const address = await Promise.race([
    firstLine(child.stdout),
    over.then((code) => Promise.reject(new Error(`the cluster did not start (${code})`))),
  ]);
  return {
    address,
    close: async () => {
      child.stdin.end();
      await over;
    },
  };
}

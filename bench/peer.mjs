/** Measures NVIDIA's launcher by a `run_peer.py`, which drives it against a stand-in for Lepton and prints a line of JSON. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** `folder`: of `run_peer.py`. The launcher is installed once, into the cache folder. */
export async function measurePeer({ folder, tasks, readyMs, jobMs }) {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  const venv = process.env.PEER_VENV ?? path.join(cache, 'evalsaga-bench', 'peer-venv');
  const isThere = existsSync(path.join(venv, 'bin', 'nemo-evaluator-launcher'));
  const { stdout } = await run(
    'python3',
    [
      ...[path.resolve(folder, 'run_peer.py'), '--venv', venv, ...(isThere ? [] : ['--make-venv'])],
      ...['--n', tasks, '--ready-s', readyMs / 1000, '--job-s', jobMs / 1000, '--limit-s', 600].map(String),
    ],
    { maxBuffer: 1 << 26 },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

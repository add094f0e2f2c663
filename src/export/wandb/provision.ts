import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { provisionOnce } from '../../provision/once';
import { findPython, run, type Provisioning } from '../../provision/python';
import { ensureUv } from '../../provision/uv';

/** The build copies such files beside the compiled code. */
export const wandbFile = (name: string): string => path.join(__dirname, name);

/** Installs W&B's client with the versions of requirements.lock, once per machine. Returns its Python. */
export async function provisionWandb({ home, report, signal }: Provisioning): Promise<string> {
  const lock = wandbFile('requirements.lock');
  const digest = createHash('sha256')
    .update(await readFile(lock))
    .digest('hex');
  const python = process.platform === 'win32' ? path.join('Scripts', 'python.exe') : path.join('bin', 'python');
  const folder = await provisionOnce({
    folder: path.join(home.runtimes, `wandb-${digest.slice(0, 12)}`),
    key: digest,
    label: "W&B's client",
    report,
    signal,
    async produce(draft, progress) {
      const [base, uv] = await Promise.all([findPython(), ensureUv({ home, report, signal })]);
      progress('installing it with uv');
      const what = "Installing W&B's client";
      const advice = 'Check that pip or uv reach their package index from this machine, then try again.';
      const venv = ['venv', '--quiet', '--allow-existing', '--relocatable', '--python', base, draft];
      await run({ what, file: uv, args: venv, signal });
      const install = ['pip', 'install', '--quiet', '--python', path.join(draft, python)];
      const locked = ['--require-hashes', '--no-deps', '--requirement', lock];
      await run({ what, advice, file: uv, args: [...install, ...locked], signal });
    },
  });
  return path.join(folder, python);
}

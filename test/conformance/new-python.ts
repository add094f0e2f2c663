import path from 'node:path';
import { execa } from 'execa';

const names = ['python3', 'python3.14', 'python3.13', 'python3.12'];

/** Returns a Python of version 3.12 or newer, which NVIDIA's newer packages need: on PATH, or one of pyenv's. */
export async function newPython(): Promise<string> {
  for (const candidate of [...names, ...(await ofPyenv())]) {
    const program = 'import sys; print(sys.executable) if sys.version_info >= (3, 12) else sys.exit(1)';
    const { failed, stdout } = await execa(candidate, ['-c', program], { reject: false, stdin: 'ignore' });
    if (!failed) return stdout.trim();
  }
  throw new Error('no Python of version 3.12 or newer is on PATH, nor among those of pyenv');
}

async function ofPyenv(): Promise<string[]> {
  const listed = await execa('pyenv', ['versions', '--bare'], { reject: false, stdin: 'ignore' });
  const versions = listed.failed ? [] : listed.stdout.split('\n').filter((version) => /^\d+\.\d+\.\d+$/.test(version));
  const prefixes = versions.map(async (version) => {
    const { failed, stdout } = await execa('pyenv', ['prefix', version], { reject: false, stdin: 'ignore' });
    return failed ? [] : [path.join(stdout.trim(), 'bin', 'python3')];
  });
  return (await Promise.all(prefixes)).flat();
}

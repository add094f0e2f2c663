import { execa } from 'execa';
import path from 'node:path';

const dist = path.join(__dirname, '..', '..', 'dist');

/**
 * Runs code of ours in a process of its own, and tells what it printed and by how many bytes its memory grew at most while
 * it worked. Both are JavaScript: `load` holds declarations, with `dist('lepton/client')` for a built module, `work` is the
 * body of an async function.
 */
export async function peakMemoryOf(
  { load, work }: { readonly load: string; readonly work: string },
  env: Record<string, string> = {},
): Promise<{ readonly said: string; readonly grown: number }> {
  const script = `
    const dist = (module) => require(${JSON.stringify(dist)} + '/' + module + '.js');
    ${load}
    const before = process.memoryUsage.rss();
    (async () => { ${work} })().then(
      () => process.stderr.write(String(process.resourceUsage().maxRSS * 1024 - before)),
      (error) => (process.stderr.write(error.stack), process.exitCode = 1),
    ).then(() => process.exit());
  `;
  const { stdout, stderr } = await execa(process.execPath, ['-e', script], { env });
  return { said: stdout, grown: Number(stderr) };
}

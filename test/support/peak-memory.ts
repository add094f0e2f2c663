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
    // Linux keeps in resourceUsage() what the parent had at the fork, which is much in a full test process.
    const peak = () => {
      try {
        return Number(/VmHWM:\\s+(\\d+) kB/.exec(require('node:fs').readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
      } catch {
        return process.resourceUsage().maxRSS * 1024;
      }
    };
    const before = process.memoryUsage.rss();
    (async () => { ${work} })().then(
      () => process.stderr.write(String(peak() - before)),
      (error) => (process.stderr.write(error.stack), process.exitCode = 1),
    ).then(() => process.exit());
  `;
  const { stdout, stderr } = await execa(process.execPath, ['-e', script], { env });
  return { said: stdout, grown: Number(stderr) };
}

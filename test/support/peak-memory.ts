import { execa } from 'execa';
import path from 'node:path';

const dist = path.join(__dirname, '..', '..', 'dist');

/**
 * Runs built code in another process; resolves to its output and to how many bytes its memory grew at most during
 * `work`. Both are JavaScript: `load` contains declarations, with `dist('lepton/client')` for a built module; `work` is
 * the body of an async function.
 */
export async function peakMemoryOf(
  { load, work }: { readonly load: string; readonly work: string },
  env: Record<string, string> = {},
): Promise<{ readonly said: string; readonly grown: number }> {
  const script = `
    const dist = (module) => require(${JSON.stringify(dist)} + '/' + module + '.js');
    ${load}
    // On Linux, resourceUsage() includes the parent's memory at the fork, which is large in a test process.
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

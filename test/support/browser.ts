import { execa } from 'execa';
import { access } from 'node:fs/promises';
import path from 'node:path';

/**
 * Headless Chromium for tests that open pages: the machine's own, or the one that a package carries, together with the libraries it
 * needs (x64 Linux only).
 */

export interface Browser {
  readonly executable: string;
  readonly env: Readonly<Record<string, string>>;
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** Returns the machine's browser unless `carried` is asked for. */
export async function findBrowser({ carried = false } = {}): Promise<Browser> {
  const folders = carried ? [] : (process.env['PATH'] ?? '').split(path.delimiter);
  for (const file of folders.flatMap((folder) => names.map((name) => path.join(folder, name)))) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (isThere) return { executable: file, env: {} };
  }
  return carriedBrowser();
}

/** The package unpacks its libraries only where it takes itself to be in the place that it is made for. */
async function carriedBrowser(): Promise<Browser> {
  const script = `import('@sparticuz/chromium').then(async ({ default: chromium }) => {
    const executable = await chromium.executablePath();
    const { LD_LIBRARY_PATH, FONTCONFIG_PATH } = process.env;
    console.log(JSON.stringify({ executable, env: { LD_LIBRARY_PATH, FONTCONFIG_PATH } }));
  });`;
  const { stdout } = await execa(process.execPath, ['-e', script], {
    cwd: path.join(__dirname, '../..'),
    env: { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' },
  });
  return JSON.parse(stdout) as Browser;
}

export interface PageRequest {
  readonly browser: Browser;
  /** Absolute. */
  readonly file: string;
  /** Its folder for a profile; absolute. */
  readonly profile: string;
  readonly scheme?: 'light' | 'dark';
}

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];

/** Opens a file and returns its document as HTML, after its scripts have run. */
export async function openPage(request: PageRequest): Promise<string> {
  const { stdout } = await run(request, ['--dump-dom']);
  return stdout;
}

/** Prints a file to `target`, as PDF. */
export async function printPage(request: PageRequest, target: string): Promise<void> {
  await run(request, [`--print-to-pdf=${target}`]);
}

const run = ({ browser, file, profile, scheme = 'light' }: PageRequest, own: readonly string[]) =>
  execa(
    browser.executable,
    [
      ...flags,
      `--user-data-dir=${profile}`,
      `--blink-settings=preferredColorScheme=${scheme === 'dark' ? 0 : 1}`,
      ...own,
      `file://${file}`,
    ],
    { env: browser.env, timeout: 100_000 },
  );

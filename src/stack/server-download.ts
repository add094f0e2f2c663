import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { lastLine } from '../support/lines';
import type { Report } from '../provision/once';

/** The download is given up if nothing has arrived after this time; without internet there are other sources. */
const START_MS = 10_000;
/** The download is given up if nothing more arrives for this long. */
const STALL_MS = 30_000;
const WATCH_MS = 500;

export interface ServerDownload {
  /** Absolute path for the executable. */
  readonly target: string;
  readonly report?: Report | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Downloads Temporal's development server by means of the SDK. The SDK downloads it only to start it, so this happens in another
 * process (fetch-server.ts), which is ended if nothing arrives. Returns `target`; rejects with the reason.
 */
export async function downloadServer({ target, report, signal }: ServerDownload): Promise<string> {
  const draft = `${target}.draft-${process.pid}`;
  await mkdir(draft, { recursive: true });
  try {
    await fetchInto(draft, { report, signal });
    const [name] = (await readdir(draft)).filter((file) => file.startsWith('temporal'));
    if (name === undefined) throw new Error('the SDK downloaded nothing');
    await rename(path.join(draft, name), target);
    return target;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function fetchInto(draft: string, { report, signal }: Omit<ServerDownload, 'target'>): Promise<void> {
  const stalled = new AbortController();
  const cancelSignal = signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal;
  const program = path.join(__dirname, 'fetch-server.js');
  const watch = watchArrival(draft, { report, onStalled: () => stalled.abort() });
  const { execa } = await import('execa');
  const result = await execa(process.execPath, [program, draft], { stdin: 'ignore', reject: false, cancelSignal });
  clearInterval(watch);
  signal?.throwIfAborted();
  if (stalled.signal.aborted) throw new Error('nothing arrived');
  if (result.failed) throw new Error(lastLine(result.stderr) || result.shortMessage);
}

function watchArrival(
  folder: string,
  { report, onStalled }: { report: Report | undefined; onStalled: () => void },
): NodeJS.Timeout {
  let seen = 0;
  let since = Date.now();
  const look = async (): Promise<void> => {
    const size = await folderBytes(folder);
    if (size > seen) {
      if (seen === 0) report?.('Temporal server: downloading');
      [seen, since] = [size, Date.now()];
    } else if (Date.now() - since > (seen === 0 ? START_MS : STALL_MS)) {
      onStalled();
    }
  };
  return setInterval(() => void look().catch(() => undefined), WATCH_MS);
}

async function folderBytes(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(path.join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

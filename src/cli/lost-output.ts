import { exitCodes } from './exit-code';

interface Writable {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  write(text: string): boolean;
}

export interface LostOutput {
  /** Aborted when stdout has no reader any more, or can't be written. */
  readonly answer: AbortSignal;
  /** Returns the exit code: an answer that could not be written turns success into a failure. */
  exitCode(code: number): number;
}

const readerGone: readonly string[] = ['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'];

/**
 * Lets a command continue when its output is cut off. A reader that has closed (`| head`, a closed terminal) must not end it: it
 * may be waiting for a run, and its exit code is the verdict. Other write errors (a full disk behind `>`) are reported once.
 */
export function watchLostOutput({ stdout, stderr }: { stdout: Writable; stderr: Writable }): LostOutput {
  const lost = new AbortController();
  let failed = false;
  stderr.on('error', () => undefined);
  stdout.on('error', (error) => {
    if (!readerGone.includes(error.code ?? '') && !failed) {
      failed = true;
      stderr.write(`error: the output can't be written: ${error.message}\n`);
    }
    lost.abort();
  });
  return {
    answer: lost.signal,
    exitCode: (code) => (failed && code === exitCodes.ok ? exitCodes.infrastructure : code),
  };
}

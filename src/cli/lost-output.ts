import { exitCodes } from './exit-code';

interface Writable {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  write(text: string): boolean;
}

export interface LostOutput {
  /** Nobody reads stdout any more, or it can't be written. */
  readonly answer: AbortSignal;
  /** The code to end with: an answer that could not be written is a failure of its own, unless there is a worse one. */
  exitCode(code: number): number;
}

const readerGone: readonly string[] = ['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'];

/**
 * Lets a command go on when its output is cut off. A reader that went away (`| head`, a closed terminal) must not end it: it
 * may be waiting for a run, and its exit code is the verdict. What else keeps the answer from being written (a full disk behind
 * `>`) is said once.
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

import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { noteServer } from './ledger';

export interface ServerProcess {
  /** Signals it, or with `group` all processes that it has started too, and resolves once it has ended. */
  end(signal: NodeJS.Signals, scope?: 'group'): Promise<void>;
}

export interface ServerOptions extends SpawnOptions {
  /** Of the cluster that it belongs to. */
  readonly folder: string;
}

/** Starts a program in a process group of its own. */
export function startServer(
  program: string,
  args: readonly string[],
  { folder, ...options }: ServerOptions,
): ServerProcess {
  const child = spawn(program, args, { stdio: 'ignore', detached: true, ...options });
  if (child.pid !== undefined) noteServer(folder, child.pid);
  const over = once(child, 'exit').catch(() => undefined);
  return {
    async end(signal, scope) {
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
        process.kill(scope === 'group' ? -child.pid : child.pid, signal);
      await over;
    },
  };
}

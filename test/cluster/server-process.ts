import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';

export interface ServerProcess {
  /** Signals it, or with `group` all processes that it has started too, and resolves once it has ended. */
  end(signal: NodeJS.Signals, scope?: 'group'): Promise<void>;
}

/** Starts a program in a process group of its own. */
export function startServer(program: string, args: readonly string[], options: SpawnOptions): ServerProcess {
  const child = spawn(program, args, { stdio: 'ignore', detached: true, ...options });
  const over = once(child, 'exit').catch(() => undefined);
  return {
    async end(signal, scope) {
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
        process.kill(scope === 'group' ? -child.pid : child.pid, signal);
      await over;
    },
  };
}

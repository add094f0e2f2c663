import type { CommandContext } from '../cli/command';
import { openSession, type Session } from '../cli/session';
import { ensureStack } from '../stack/stack';
import { contextOf, type Place } from './context';

export interface ConnectOptions extends Place {
  /**
   * Whether background processes of this machine that are missing are started, as `evalsaga up` does. Without: rejects with
   * `InfrastructureError` if they don't run. Default true.
   */
  readonly start?: boolean;
}

/** A connection to the Temporal server that knows the runs. */
export interface Evalsaga {
  /** Host and port of that server. */
  readonly temporalAddress: string;
  /** Closes the connection. Runs and background processes go on. */
  close(): Promise<void>;
}

/** What is behind a connection that `connect` returned. */
export interface Opened {
  readonly session: Session;
  readonly context: CommandContext;
}

const opened = new WeakMap<Evalsaga, Opened>();

/**
 * Connects to the server that the environment names (`TEMPORAL_ADDRESS`, a temporal.toml profile), else to this machine's own. Rejects
 * with `InfrastructureError` if it can't be reached.
 */
export async function connect({ start = true, ...place }: ConnectOptions = {}): Promise<Evalsaga> {
  const context = contextOf(place);
  const { home, env, output } = context;
  const session = start
    ? await ensureStack({ home, env, localPlatform: false, report: (line) => output.note(line) })
    : await openSession(context);
  const evalsaga: Evalsaga = {
    temporalAddress: session.temporal.address,
    close: () => session.client.connection.close(),
  };
  opened.set(evalsaga, { session, context });
  return evalsaga;
}

/** Throws `TypeError` for an object that `connect` did not return. */
export function behind(evalsaga: Evalsaga): Opened {
  const found = opened.get(evalsaga);
  if (!found) throw new TypeError('The first argument must be what `connect` returned.');
  return found;
}

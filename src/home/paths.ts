import { homedir } from 'node:os';
import path from 'node:path';

/** Everything evalsaga keeps on this machine, below `EVALSAGA_HOME` (default `~/.evalsaga`). Absolute paths. */
export interface HomePaths {
  readonly root: string;
  /** Background processes: `<name>.json` (pid, start time, ports) and `<name>.log`. */
  readonly stack: string;
  /** SQLite database of the embedded Temporal server. */
  readonly temporalDatabase: string;
  /** The local platform's state, storage and logs. */
  readonly platform: string;
  /** `{url, workspace, token}` of the local platform, mode 0600; rewritten at each start of it. */
  readonly platformAccess: string;
  /** Workspace credentials the launcher hands to background workers, one file per workspace, mode 0600. */
  readonly credentials: string;
  /** Values of host variables that a run's plan references, `<invocation>.json`, mode 0600, removed with the run. */
  readonly secrets: string;
  /** What is known of each run on this host: `<invocation>/` with the resolved config, secrets masked. */
  readonly runs: string;
  /** Logs of resources that this host swept, of runs that it has no record of: `<invocation>/logs/`. */
  readonly swept: string;
  /** Files of runs that wait until their results store has them. */
  readonly staging: string;
  /** Results of runs that were started elsewhere, copied from their store: `<invocation>/`. */
  readonly fetched: string;
  /** Provisioned software: Temporal server, model server, harness, weights, data. */
  readonly runtimes: string;
}

/** Resolves the home folder from `EVALSAGA_HOME`; creates nothing. */
export function homePaths(env: Readonly<Record<string, string | undefined>> = process.env): HomePaths {
  const root = path.resolve(env['EVALSAGA_HOME'] || path.join(homedir(), '.evalsaga'));
  return {
    root,
    stack: path.join(root, 'stack'),
    temporalDatabase: path.join(root, 'temporal.db'),
    platform: path.join(root, 'platform'),
    platformAccess: path.join(root, 'platform', 'access.json'),
    credentials: path.join(root, 'credentials'),
    secrets: path.join(root, 'secrets'),
    runs: path.join(root, 'runs'),
    swept: path.join(root, 'swept'),
    staging: path.join(root, 'staging'),
    fetched: path.join(root, 'fetched'),
    runtimes: path.join(root, 'runtimes'),
  };
}

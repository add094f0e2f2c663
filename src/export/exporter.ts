import type { CommonExportSettings } from '../contract/export';
import type { HomePaths } from '../home/paths';
import type { Fetch } from './http';
import type { ExportedRun } from './exported-run';

/** What every target has in common. */

export interface ExportContext {
  /** Returns the value of a variable of `exportVariables`; `undefined`: it is not set. */
  readonly variable: (name: string) => string | undefined;
  /** For a target that is files: where they go, absolute. */
  readonly outputDir: string;
  /** Where software is kept that a target needs. */
  readonly home: HomePaths;
  readonly signal: AbortSignal;
  /** Receives what is being done, for a heartbeat or a person. */
  readonly progress: (line: string) => void;
  /** Default: Node's, by the proxies of this process. */
  readonly fetch?: Fetch;
}

/** What an export has done. */
export interface Exported {
  /** Tasks whose results are at the target now. */
  readonly tasks: number;
  /** Tasks that were there before, and stayed as they were (`skip_existing`). */
  readonly skipped: number;
  /** URL or path. */
  readonly where: string;
  /** What was left out, and why. */
  readonly notes: readonly string[];
}

/**
 * Sends a run to a target. Sending it again leaves what is there up to date and nothing twice: runs and tasks have the same keys each
 * time. Rejects with `ExportFault`, or an error of the file system.
 */
export type Exporter<Settings extends CommonExportSettings> = (
  run: ExportedRun,
  settings: Settings,
  context: ExportContext,
) => Promise<Exported>;

/** The target refused, or something about the request is wrong: another attempt changes nothing. Messages hold no secrets. */
export class ExportFault extends Error {
  override readonly name = 'ExportFault';
  constructor(
    message: string,
    /** `settings`: the user must change them; nothing was asked. `temporary`: the target can't be reached, or is overloaded. */
    readonly kind: 'settings' | 'lasting' | 'temporary' = 'lasting',
  ) {
    super(message);
  }
}

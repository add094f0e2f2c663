import { appendFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { makeFolders } from '../support/make-folders';
import { whoActs } from '../support/who';
import type { HomePaths } from './paths';

export type AuditedAction = 'start' | 'cancel' | 'cleanup' | 'sweep';

/** One line of `audit.jsonl`. */
export interface AuditEntry {
  readonly action: AuditedAction;
  /** `undefined`: of no run in particular. */
  readonly invocation?: string;
  readonly [detail: string]: unknown;
}

export const auditFile = ({ root }: Pick<HomePaths, 'root'>): string => path.join(root, 'audit.jsonl');

/**
 * Adds a line to the home's `audit.jsonl`: what a command was told to do, by whom, when. Never fails: what it records has been
 * asked for already.
 */
export async function audit(
  home: Pick<HomePaths, 'root'>,
  env: Readonly<Record<string, string | undefined>>,
  entry: AuditEntry,
): Promise<void> {
  const line = { at: new Date().toISOString(), who: whoActs(env), host: hostname(), ...entry };
  try {
    await makeFolders(home.root);
    await appendFile(auditFile(home), `${JSON.stringify(line)}\n`, { mode: 0o600 });
  } catch {
    // A full or read-only disk must keep nobody from cancelling a run.
  }
}

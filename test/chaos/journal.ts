import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Outcome } from './outcome';
import type { Recorded } from './matrix';

/** Reads outcomes from a file with one per line, so that an interrupted run can be continued. */
export function readJournal(file: string): Outcome[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Outcome);
}

export const writeOutcome = (file: string, outcome: Outcome): void =>
  appendFileSync(file, `${JSON.stringify(outcome)}\n`);

/** Reads points recorded before, so that all parts of a sample choose from the same points. */
export function readPoints(file: string | undefined): Recorded | undefined {
  return file !== undefined && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Recorded) : undefined;
}

export const writePoints = (file: string, recorded: Recorded): void => writeFileSync(file, JSON.stringify(recorded));

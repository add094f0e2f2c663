import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Outcome } from './outcome';
import type { Recorded } from './matrix';

/** Outcomes in a file, one a line: a run that was broken off goes on where it was. */
export function readJournal(file: string): Outcome[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Outcome);
}

export const writeOutcome = (file: string, outcome: Outcome): void =>
  appendFileSync(file, `${JSON.stringify(outcome)}\n`);

/** Points are recorded once, so that all parts of a sample choose from the same. */
export function readPoints(file: string | undefined): Recorded | undefined {
  return file !== undefined && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Recorded) : undefined;
}

export const writePoints = (file: string, recorded: Recorded): void => writeFileSync(file, JSON.stringify(recorded));

import { parse as parseYaml } from 'yaml';
import { firstOf } from '../../support/listing';
import { isPlainObject } from '../../support/plain-object';
import { firstLine } from '../../support/lines';
import { messageOf } from '../../support/error-message';
import { findScores, TooManyScores, type Found } from './find-scores';
import type { Metric } from '../../contract/metric';
import type { Scores } from './scores';
import { nameScores } from './name-scores';
import { describe } from './number';

/** Names in one note. */
const shownAtMost = 5;

/** Reads the harness' `results.yml`. Pure. */

/** Limit on the file, bytes: far above any real one, since a job can write anything. */
export const maxTextBytes = 32 * 1024 * 1024;

/** The message says what is wrong with a `results.yml`, and where. */
export class MalformedResults extends Error {
  override readonly name = 'MalformedResults';
}

/**
 * Returns all scores that can be read, with notes on those that can't. Throws `MalformedResults` naming what is missing or wrong;
 * a file without any score is malformed, because a task without results has not succeeded.
 */
export function parseResults(text: string): Scores {
  const document = readDocument(text);
  if (!isPlainObject(document)) throw new MalformedResults(`the file is ${describe(document)}, not a mapping`);
  const results = document['results'];
  if (results === undefined || results === null) throw new MalformedResults('it has no section "results"');
  if (!isPlainObject(results)) throw new MalformedResults(`results is ${describe(results)}, not a mapping`);
  const found = scoresIn(results);
  if (found.scores.length === 0) throw new MalformedResults(withoutScores(found));
  const { metrics, clashes } = nameScores(found.scores);
  return { metrics, notes: notesOn(found, metrics, clashes) };
}

/** Reads YAML as PyYAML does, which writes these files: any number of aliases, merge keys, and the last of two equal keys. */
const asPyYaml = { logLevel: 'error', maxAliasCount: -1, merge: true, uniqueKeys: false } as const;

function readDocument(text: string): unknown {
  if (text.trim() === '') throw new MalformedResults('it is empty');
  if (text.length > maxTextBytes) throw new MalformedResults(`it is longer than ${maxTextBytes} characters`);
  try {
    return parseYaml(text, asPyYaml);
  } catch (error) {
    throw new MalformedResults(`it is not YAML: ${firstLine(messageOf(error))}`);
  }
}

function scoresIn(results: Readonly<Record<string, unknown>>): Found {
  try {
    return findScores(results);
  } catch (error) {
    if (error instanceof TooManyScores) throw new MalformedResults(error.message);
    throw error;
  }
}

const withoutScores = ({ unreadable }: Found): string =>
  `its section "results" holds no score${unreadable.length === 0 ? '' : `; not read as scores: ${firstOf(unreadable, shownAtMost)}`}`;

function notesOn({ unreadable, empty }: Found, metrics: readonly Metric[], clashes: readonly string[]): string[] {
  const uncomputed = metrics.filter(({ value }) => typeof value !== 'number');
  return [
    ...(uncomputed.length === 0
      ? []
      : [
          `Not computed: ${firstOf(
            uncomputed.map(({ name, value }) => `${name} (${value})`),
            shownAtMost,
          )}.`,
        ]),
    ...(unreadable.length === 0 ? [] : [`Not read as scores: ${firstOf(unreadable, shownAtMost)}.`]),
    ...(empty.length === 0 ? [] : [`Without a score of its own: ${firstOf(empty, shownAtMost)}.`]),
    ...(clashes.length === 0 ? [] : [`${firstOf(clashes, shownAtMost, '; ')}.`]),
  ];
}

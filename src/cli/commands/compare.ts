import { compareRuns } from '../../client';
import { comparisonMarkdown } from '../../compare/render/markdown';
import { settingKinds } from '../../compare/evidence/evidence';
import type { CompareOptions, DifferenceKind } from '../../compare/options';
import type { Comparison } from '../../compare/comparison';
import { flag, listOption, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { resultsPlace } from '../results-place';
import { answerFile, answerFormat, writeAnswer } from '../answer-file';
import { productVersion } from '../../support/version';
import { comparisonText } from '../render/comparison';
import { plainStyle } from '../render/style';
import { UsageError } from '../usage-error';

/** `compare A B`: whether the scores of two runs differ, and by more than chance. */
export const compare: CommandBody = async (input, context) => {
  const [base, candidate] = input.arguments;
  if (base === undefined || candidate === undefined)
    throw new UsageError('Give two runs or folders: the base, then the candidate.');
  const options = compareOptions(input);
  const comparison = await compareRuns(
    { base: await resultsPlace(base, context), candidate: await resultsPlace(candidate, context) },
    options,
  );
  await writeAnswer(await rendered(comparison, input, context), input, context);
  return { kind: 'judged', verdict: comparison.verdict };
};

const kinds: readonly DifferenceKind[] = [...settingKinds, 'samples', 'prompts', 'incomplete'];

export function compareOptions(input: CommandInput): CompareOptions {
  const maxDrop = numberOption(input, 'maxDrop', { least: 0, most: Infinity });
  const cluster = textOption(input, 'cluster');
  const accept = listOption(input, 'accept').flatMap((list) => list.split(','));
  const unknown = accept.find((kind) => !kinds.some((known) => known === kind));
  if (unknown !== undefined)
    throw new UsageError(`--accept ${unknown}: there is no such difference. There are: ${kinds.join(', ')}.`);
  return {
    alpha: numberOption(input, 'alpha', { least: 1e-6, most: 0.5 }) ?? 0.05,
    ...(maxDrop === undefined ? {} : { maxDrop }),
    metrics: listOption(input, 'metric'),
    lowerIsBetter: listOption(input, 'lowerIsBetter'),
    ...(cluster === undefined ? {} : { cluster }),
    accept: kinds.filter((kind) => accept.includes(kind)),
    seed: numberOption(input, 'seed', { least: 0, most: 2 ** 31 - 1 }) ?? 1,
    flips: flipCount(input),
  };
}

const usualFlips = 10;

function flipCount(input: CommandInput): number {
  if (flag(input, 'showFlips')) return usualFlips;
  return Math.floor(numberOption(input, 'showFlips', { least: 0, most: 10_000 }) ?? 0);
}

function numberOption(
  input: CommandInput,
  name: string,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  const text = textOption(input, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new UsageError(
    `--${option} ${text}: give a number of at least ${least}${most === Infinity ? '' : ` and at most ${most}`}.`,
  );
}

async function rendered(comparison: Comparison, input: CommandInput, { output }: CommandContext): Promise<unknown> {
  switch (answerFormat(input, ['table', 'json', 'md', 'html'])) {
    case 'json':
      return comparison;
    case 'md':
      return comparisonMarkdown(comparison);
    case 'html': {
      // The plotting library takes half a second to load.
      const { comparisonPage } = await import('../../compare/render/comparison-page.js');
      return comparisonPage(comparison, { writtenAt: new Date().toISOString(), version: productVersion() });
    }
    case 'table': {
      const style = answerFile(input) === undefined ? output.answerStyle : plainStyle;
      return comparisonText(comparison, { style, withParts: flag(input, 'parts') });
    }
  }
}

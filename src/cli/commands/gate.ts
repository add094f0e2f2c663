import path from 'node:path';
import { gateRuns, type GateReport } from '../../client';
import { gateJunit } from '../../compare/gate/junit';
import { gateMarkdown } from '../../compare/gate/gate-markdown';
import { answerFile, answerFormat, writeAnswer } from '../answer-file';
import { flag, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { comparisonText } from '../render/comparison';
import { gateText } from '../render/gate';
import { plainStyle } from '../render/style';
import { resultsPlace } from '../results-place';
import { UsageError } from '../usage-error';
import { compareOptions } from './compare';

/** `gate BASE CANDIDATE --policy FILE`: whether the candidate may be released. */
export const gate: CommandBody = async (input, context) => {
  const [base, candidate] = input.arguments;
  const policy = textOption(input, 'policy');
  if (base === undefined || candidate === undefined)
    throw new UsageError('Give two runs or folders: the base, then the candidate.');
  if (policy === undefined) throw new UsageError('Give the policy: --policy FILE.');
  const report = await gateRuns(
    {
      base: await resultsPlace(base, context),
      candidate: await resultsPlace(candidate, context),
      policy: path.resolve(context.cwd, policy),
    },
    compareOptions(input),
  );
  await writeAnswer(rendered(report, input, context), input, context);
  return { kind: 'judged', verdict: verdicts[report.verdict] };
};

const verdicts = { GO: 'no regression', 'NO-GO': 'regression', INCONCLUSIVE: "can't tell" } as const;

function rendered(report: GateReport, input: CommandInput, { output }: CommandContext): unknown {
  switch (answerFormat(input, ['table', 'json', 'md', 'junit'])) {
    case 'json':
      return report;
    case 'md':
      return gateMarkdown(report);
    case 'junit':
      return gateJunit(report);
    case 'table': {
      const style = answerFile(input) === undefined ? output.answerStyle : plainStyle;
      const text = gateText(report, style);
      return flag(input, 'parts') ? `${text}\n${comparisonText(report.comparison, { style, withParts: true })}` : text;
    }
  }
}

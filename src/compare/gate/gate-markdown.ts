import { comparisonMarkdown, details, inline, list, section, table } from '../render/markdown';
import { confidenceText, intervalText, numberText, signedText } from '../render/texts';
import type { GateReport, GatedBenchmark } from './gate';

/** A gate's report as Markdown for a pull request: the verdict, what was judged, and the whole comparison folded away. Pure. */
export function gateMarkdown(report: GateReport): string {
  const { verdict, reasons, confidence, benchmarks, warnings, comparison } = report;
  return [
    `# Gate: ${verdict}`,
    list(reasons.map(inline)),
    table(
      [
        'benchmark',
        'tier',
        'status',
        'score',
        'base',
        'candidate',
        'Δ',
        `${confidenceText(confidence)} CI`,
        'n',
        'allowed drop',
      ],
      benchmarks.map(rowOf),
    ),
    section('Why', list(benchmarks.flatMap(whyOf))),
    section('Warnings', list(warnings.map(inline))),
    details('the whole comparison', comparisonMarkdown(comparison).replaceAll(/^#(?=#* )/gm, '##')),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const marks: Readonly<Record<GatedBenchmark['status'], string>> = {
  PASS: '✅ PASS',
  BREACH: '❌ BREACH',
  MISSING: '❌ MISSING',
  INSUFFICIENT_EVIDENCE: '❔ INSUFFICIENT EVIDENCE',
};

const rowOf = ({
  benchmark,
  tier,
  status,
  metric,
  base,
  candidate,
  delta,
  interval,
  n,
  maxDrop,
}: GatedBenchmark): string[] => [
  benchmark,
  tier,
  marks[status],
  metric ?? '–',
  numberText(base),
  numberText(candidate),
  signedText(delta),
  intervalText(interval),
  n === null ? '–' : String(n),
  numberText(maxDrop),
];

const whyOf = ({ benchmark, status, reasons }: GatedBenchmark): string[] =>
  status === 'PASS' ? [] : [inline(`${benchmark}: ${reasons.join('; ')}`)];

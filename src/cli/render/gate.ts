import Table from 'cli-table3';
import type { GatedBenchmark, GateReport } from '../../compare/gate/gate';
import { confidenceText, intervalText, numberText, signedText } from '../../compare/render/texts';
import { harmlessLine } from '../../support/terminal-text';
import { bare } from './overview';
import type { Style } from './style';

/** A gate's report for a terminal. Pure. */
export function gateText({ verdict, reasons, confidence, benchmarks, warnings }: GateReport, style: Style): string {
  const table = new Table({
    head: [
      'Benchmark',
      'Tier',
      'Status',
      'Score',
      'Base',
      'Candidate',
      'Δ',
      `${confidenceText(confidence)} CI`,
      'n',
      'Allowed drop',
    ],
    colAligns: ['left', 'left', 'left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
    ...bare,
  });
  for (const one of benchmarks)
    table.push([
      harmlessLine(one.benchmark),
      one.tier,
      paintedStatus(one.status, style),
      harmlessLine(one.metric ?? '–'),
      numberText(one.base),
      numberText(one.candidate),
      signedText(one.delta),
      intervalText(one.interval),
      one.n === null ? '' : String(one.n),
      numberText(one.maxDrop),
    ]);
  return [
    ...(benchmarks.length === 0 ? [] : [table.toString()]),
    ...benchmarks.flatMap(({ benchmark, status, reasons: why }) =>
      status === 'PASS' ? [] : [harmlessLine(`${benchmark}: ${why.join('; ')}`)],
    ),
    ...warnings.map((warning) => `${style.warn('warning:')} ${harmlessLine(warning)}`),
    `${verdict === 'GO' ? style.good(verdict) : verdict === 'NO-GO' ? style.bad(verdict) : style.warn(verdict)}: ${harmlessLine(reasons.join('; '))}`,
  ].join('\n');
}

function paintedStatus(status: GatedBenchmark['status'], style: Style): string {
  switch (status) {
    case 'PASS':
      return style.good(status);
    case 'INSUFFICIENT_EVIDENCE':
      return style.warn(status);
    case 'BREACH':
    case 'MISSING':
      return style.bad(status);
  }
}

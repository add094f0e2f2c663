import { html, type Html } from '../../report/page/html';
import type { GateReport, GatedBenchmark } from './gate';

/**
 * A gate's report as JUnit XML, which CI systems show. A benchmark that got worse is a failure, one that can't be judged an error. An
 * advisory one is told, but fails nothing. Pure.
 */
export function gateJunit({ verdict, benchmarks }: GateReport): string {
  const count = (outcome: Outcome): number => benchmarks.filter((one) => outcomeOf(one) === outcome).length;
  const counts = html`tests="${benchmarks.length}" failures="${count('failure')}" errors="${count('error')}"
  skipped="${count('skipped')}"`;
  return html`<?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="evalsaga gate" ${counts}>
      <testsuite name="evalsaga gate: ${verdict}" ${counts}>${benchmarks.map(caseOf)}</testsuite>
    </testsuites> `.text;
}

type Outcome = 'passed' | 'failure' | 'error' | 'skipped';

function outcomeOf({ tier, status }: GatedBenchmark): Outcome {
  if (status === 'PASS') return 'passed';
  if (tier === 'advisory') return 'skipped';
  return status === 'INSUFFICIENT_EVIDENCE' ? 'error' : 'failure';
}

function caseOf(benchmark: GatedBenchmark): Html {
  const { metric, tier } = benchmark;
  const name = metric === null ? benchmark.benchmark : `${benchmark.benchmark} ${metric}`;
  return html` <testcase classname="${tier}" name="${name}">${contentOf(benchmark)}</testcase> `;
}

function contentOf(benchmark: GatedBenchmark): Html {
  const { status } = benchmark;
  const message = `${status}: ${benchmark.reasons.join('; ')}`;
  switch (outcomeOf(benchmark)) {
    case 'passed':
      return html`<system-out>${message}</system-out>`;
    case 'skipped':
      return html`<skipped message="${message}" />`;
    case 'error':
      return html`<error message="${message}" type="${status}" />`;
    case 'failure':
      return html`<failure message="${message}" type="${status}" />`;
  }
}

import type { GateReport, GatedBenchmark } from './gate';

/** A gate's report as JUnit XML, which CI systems show. A benchmark that can't be judged is an error, one that got worse a failure. Pure. */
export function gateJunit({ verdict, benchmarks }: GateReport): string {
  const gated = benchmarks.filter(({ tier }) => tier !== 'advisory');
  const failures = gated.filter(({ status }) => status === 'BREACH' || status === 'MISSING').length;
  const errors = gated.filter(({ status }) => status === 'INSUFFICIENT_EVIDENCE').length;
  const skipped = benchmarks.filter((one) => one.tier === 'advisory' && one.status !== 'PASS').length;
  const counts = `tests="${benchmarks.length}" failures="${failures}" errors="${errors}" skipped="${skipped}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="evalsaga gate" ${counts}>`,
    `  <testsuite name="evalsaga gate: ${verdict}" ${counts}>`,
    ...benchmarks.map(caseOf),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function caseOf({ benchmark, tier, status, metric, reasons }: GatedBenchmark): string {
  const name = metric === null ? benchmark : `${benchmark} ${metric}`;
  const open = `    <testcase classname="${xml(tier)}" name="${xml(name)}"`;
  const message = reasons.join('; ');
  if (status === 'PASS') return `${open}>\n      <system-out>${xml(message)}</system-out>\n    </testcase>`;
  const what = `${status}: ${message}`;
  // An advisory benchmark is told, but fails nothing.
  const kind = tier === 'advisory' ? 'skipped' : status === 'INSUFFICIENT_EVIDENCE' ? 'error' : 'failure';
  const type = kind === 'skipped' ? '' : ` type="${status}"`;
  return `${open}>\n      <${kind} message="${xml(what)}"${type}/>\n    </testcase>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
/** Characters that XML can't hold, even escaped. */
const impossible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;

const xml = (text: string): string =>
  text.replace(impossible, '').replace(/[&<>"']/g, (character) => entities[character] ?? '');

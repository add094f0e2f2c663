import Table from 'cli-table3';
import type { CaseResult } from './matrix';
import { kindOf } from './points';

/** Route × event: how many cases held, how many did not, and how many missed their point, which proves nothing. */
export function resultTable(results: readonly CaseResult[]): string {
  const events = [...new Set(results.map(({ one }) => one.event))].sort();
  const rows = [...new Set(results.map(({ one }) => kindOf(one.point)))].sort();
  const table = new Table({ head: ['point', ...events], style: { head: [], border: [], compact: true } });
  for (const row of rows) {
    const cells = events.map((event) => {
      const cases = results.filter(({ one }) => kindOf(one.point) === row && one.event === event);
      const broken = cases.filter(({ violations }) => violations.length > 0).length;
      const held = cases.filter(({ violations, reached }) => reached && violations.length === 0).length;
      const missed = cases.length - held - broken;
      const parts = [
        [held, 'ok'],
        [broken, 'BROKEN'],
        [missed, 'missed'],
      ] as const;
      return parts.flatMap(([count, word]) => (count === 0 ? [] : [`${count} ${word}`])).join(', ');
    });
    table.push([row, ...cells]);
  }
  return table.toString();
}

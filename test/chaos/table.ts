import Table from 'cli-table3';
import type { CaseResult } from './matrix';

/** Route × event: how many cases held, how many did not. */
export function resultTable(results: readonly CaseResult[]): string {
  const events = [...new Set(results.map(({ one }) => one.event))].sort();
  const rows = [...new Set(results.map(({ one }) => `${one.point.method} ${one.point.shape}`))].sort();
  const table = new Table({ head: ['point', ...events], style: { head: [], border: [], compact: true } });
  for (const row of rows) {
    const cells = events.map((event) => {
      const cases = results.filter(
        ({ one }) => `${one.point.method} ${one.point.shape}` === row && one.event === event,
      );
      const broken = cases.filter((result) => result.violations.length > 0).length;
      if (cases.length === 0) return '';
      return broken === 0 ? `${cases.length} ok` : `${cases.length - broken} ok, ${broken} BROKEN`;
    });
    table.push([row, ...cells]);
  }
  return table.toString();
}

import { summary, tally, type Outcome } from './outcome';

/**
 * Returns Markdown tables of cases per dimension: how many held, how many did not, and how many missed their point
 * and prove nothing. Pure.
 */
export function resultTables(outcomes: readonly Outcome[]): string {
  const dimensions: readonly (readonly [string, (outcome: Outcome) => string])[] = [
    ['where', ({ point }) => whereOf(point)],
    ['course', ({ id }) => id.split(' | ')[0] ?? ''],
    ['what happens to the request', ({ fault }) => fault],
    ['what happens beside it', ({ event }) => event],
    ['surroundings', ({ world }) => world],
  ];
  return [...dimensions.map(([title, of]) => tableOf(title, outcomes, of)), summary(outcomes)].join('\n\n');
}

/** Returns the border and, for HTTP, the method. */
const whereOf = (point: string): string => {
  const [border = '', method = ''] = point.split(' ');
  return border === 'platform' || border === 'model' ? `${border}, ${method}` : `Temporal, from the ${border}`;
};

function tableOf(title: string, outcomes: readonly Outcome[], of: (outcome: Outcome) => string): string {
  const names = [...new Set(outcomes.map(of))].sort();
  const rows = names.map((name) => {
    const { cases, held, broken, missed } = tally(outcomes.filter((outcome) => of(outcome) === name));
    return `| ${name} | ${cases} | ${held} | ${broken} | ${missed} |`;
  });
  return [`| ${title} | cases | held | violations | not reached |`, '| --- | --: | --: | --: | --: |', ...rows].join(
    '\n',
  );
}

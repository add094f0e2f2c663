/** `npm run chaos`: tries to break the guarantee. Exits 1 if it did. */
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { endBatches, recordInBatches, runInBatches } from './batches';
import type { TestBedKind } from './batch';
import { allCases, coursesFor, killEvents, partOf, quickEvents, sample, type ChaosCase } from './cases';
import { readJournal, readPoints, writeOutcome, writePoints } from './journal';
import type { Recorded } from './matrix';
import { summary, tally, type Outcome } from './outcome';
import { resultTables } from './table';
import { onlyPlain, worldsOf } from './worlds';

interface Options {
  cases: string;
  kills: string;
  seed: string;
  part?: string;
  minutes: string;
  processes: string;
  atOnce: string;
  filter: string[];
  journal?: string;
  points?: string;
  list?: true;
  report?: true;
}

const program = new Command('chaos')
  .option('--cases <n>', 'number of cases, including those with kills', '200')
  .option('--kills <n>', 'how many of them kill a process (default: one in 25)')
  .option('--seed <n>', 'seed of the sample', String(Date.now() % 100_000))
  .option('--part <k/n>', 'only the kth of n parts of the sample')
  .option('--minutes <n>', 'begin no case after this time', '120')
  .option('--processes <n>', 'processes at the same time', String(availableParallelism()))
  .option('--at-once <n>', 'cases at the same time in each', '12')
  .option(
    '--filter <text>',
    'only cases whose name contains the text; if repeated, all texts',
    (text: string, all: string[]) => [...all, text],
    [] as string[],
  )
  .option('--journal <file>', 'file for outcomes; cases that it already contains are not run again')
  .option('--points <file>', 'file of recorded points; recorded and written if it does not exist')
  .option('--list', 'list the cases without running them')
  .option('--report', 'print the tables of the journal without running cases')
  .parse();

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(options: Options): Promise<number> {
  const known = options.journal === undefined ? [] : readJournal(options.journal);
  if (options.report) return conclude(known);
  const phases = phasesOf(options);
  const outcomes = [...known];
  const until = performance.now() + Number(options.minutes) * 60_000;
  for (const phase of phases) {
    const chosen = await choose(phase, options);
    const left = chosen.filter(({ id }) => !known.some((outcome) => outcome.id === id));
    print(`${chosen.length} cases ${phase.what}, ${left.length} of them to run; seed ${options.seed}`);
    if (options.list) left.forEach(({ id }) => print(id));
    else
      await runInBatches(left, {
        ...phase,
        until,
        report: (outcome) => {
          outcomes.push(outcome);
          if (options.journal !== undefined) writeOutcome(options.journal, outcome);
          printOutcome(outcome, `${outcomes.length}`);
        },
      });
  }
  return options.list ? 0 : conclude(outcomes);
}

interface Phase {
  readonly what: string;
  readonly testBed: TestBedKind;
  readonly events: Parameters<typeof allCases>[1]['eventsAt'];
  readonly count: number;
  readonly processes: number;
  readonly atOnce: number;
}

function phasesOf(options: Options): Phase[] {
  const count = Number(options.cases);
  const kills = options.kills === undefined ? Math.round(count / 25) : Number(options.kills);
  const processes = Number(options.processes);
  const atOnce = Number(options.atOnce);
  const phases: Phase[] = [
    { what: 'without kills', testBed: 'in process', events: quickEvents, count: count - kills, processes, atOnce },
    // Cases share the processes that are killed, so only a few run at a time.
    {
      what: 'with kills',
      testBed: 'processes',
      events: killEvents,
      count: kills,
      processes,
      atOnce: Math.min(3, atOnce),
    },
  ];
  return phases.filter((phase) => phase.count > 0);
}

async function choose(phase: Phase, options: Options): Promise<ChaosCase[]> {
  const { recordings } = await pointsFor(phase, options);
  const worldsIn = phase.testBed === 'in process' ? worldsOf : onlyPlain;
  const matching = allCases(recordings, { eventsAt: phase.events, worldsIn }).filter(({ id }) =>
    options.filter.every((text) => id.includes(text)),
  );
  const chosen = sample(matching, { count: phase.count, seed: Number(options.seed) });
  const [k = 1, n = 1] = (options.part ?? '1/1').split('/').map(Number);
  return partOf(chosen, { k, n });
}

async function pointsFor(phase: Phase, options: Options): Promise<Recorded> {
  const file = options.points === undefined ? undefined : `${options.points}.${phase.testBed.replace(' ', '-')}`;
  const known = readPoints(file);
  if (known) return known;
  const wanted = coursesFor(options.filter);
  const recorded = await recordInBatches(wanted, { ...phase, times: 3 });
  for (const words of recorded.broken) print(`BROKEN UNDISTURBED ${words}`);
  if (file !== undefined) writePoints(file, recorded);
  return recorded;
}

function printOutcome({ id, violations, reached, ms }: Outcome, count: string): void {
  const mark = violations.length > 0 ? 'BROKEN' : reached ? 'ok' : 'ok (not reached)';
  print(`${count.padStart(4)} ${mark} ${(ms / 1000).toFixed(1)} s  ${id}`);
  for (const violation of violations) print(`       ${violation}`);
}

function conclude(outcomes: readonly Outcome[]): number {
  print(resultTables(outcomes));
  const broken = outcomes.filter(({ violations }) => violations.length > 0);
  for (const { id } of broken) print(`repeat with: npm run chaos -- --filter '${id}'`);
  const { cases, missed } = tally(outcomes);
  if (missed > cases / 50) print(`more than 2 % of the cases did not reach their point: this tool is at fault`);
  if (broken.length > 0) print(summary(outcomes));
  return broken.length === 0 && cases > 0 && missed <= cases / 50 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    print('ending; cases in the journal will not be run again');
    endBatches();
  });

void main(program.opts<Options>()).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    process.exit(1);
  },
);

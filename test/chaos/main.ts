/** `npm run chaos`: tries to break the guarantee. Exits 1 when it did. */
import { Command } from 'commander';
import { allCases, killEvents, quickEvents, sample, setupsFor, type ChaosCase } from './cases';
import { recordPoints, runMatrix, type CaseResult } from './matrix';
import { processStand } from './process-stand';
import { inProcessStand, type Stand } from './stand';
import { resultTable } from './table';

interface Options {
  cases: string;
  kills: string;
  seed: string;
  minutes: string;
  atOnce: string;
  filter: string[];
  list?: true;
}

const program = new Command('chaos')
  .option('--cases <n>', 'cases without kills', '200')
  .option('--kills <n>', 'cases in which a process is killed', '20')
  .option('--seed <n>', 'which cases are chosen', String(Date.now() % 100_000))
  .option('--minutes <n>', 'begin no more cases after that', '30')
  .option('--at-once <n>', 'cases at the same time', '6')
  .option(
    '--filter <text>',
    'only cases whose name holds it; may be given several times, all must hold',
    (text: string, all: string[]) => [...all, text],
    [] as string[],
  )
  .option('--list', 'name the cases, run none')
  .parse();

async function main(options: Options): Promise<number> {
  const until = Date.now() + Number(options.minutes) * 60_000;
  const results: CaseResult[] = [];
  const seed = Number(options.seed);
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const phase = async (
    open: () => Promise<Stand>,
    phaseOf: { what: string; events: Parameters<typeof allCases>[1]; count: number; atOnce: number },
  ): Promise<void> => {
    const { what, events, count, atOnce } = phaseOf;
    if (count === 0) return;
    const stand = await open();
    try {
      const recordings = await recordPoints(stand, { setups: setupsFor(options.filter), times: 3, atOnce });
      const matching = allCases(recordings, events).filter(({ id }) =>
        options.filter.every((text) => id.includes(text)),
      );
      const cases = sample(matching, { count, seed });
      say(`${matching.length} cases ${what}, ${cases.length} of them now; seed ${seed}`);
      if (options.list) return cases.forEach(({ id }) => say(id));
      results.push(...(await runMatrix(stand, { cases, atOnce, until, report: reporter(say, cases) })));
    } finally {
      await stand.close();
    }
  };
  const atOnce = Number(options.atOnce);
  await phase(inProcessStand, { what: 'without kills', events: quickEvents, count: Number(options.cases), atOnce });
  await phase(processStand, {
    what: 'with kills',
    events: killEvents,
    count: Number(options.kills),
    atOnce: Math.min(3, atOnce),
  });
  if (options.list) return 0;
  return conclude(results, seed, say);
}

function reporter(say: (text: string) => void, cases: readonly ChaosCase[]): (result: CaseResult) => void {
  let count = 0;
  return ({ one, violations, reached, facts }) => {
    count += 1;
    const mark = violations.length > 0 ? 'BROKEN' : reached ? 'ok' : 'ok (not reached)';
    say(`${String(count).padStart(4)}/${cases.length} ${mark} ${Math.round((facts?.ms ?? 0) / 100) / 10} s  ${one.id}`);
    for (const violation of violations) say(`       ${violation}`);
  };
}

function conclude(results: readonly CaseResult[], seed: number, say: (text: string) => void): number {
  const broken = results.filter(({ violations }) => violations.length > 0);
  const held = results.filter(({ reached, violations }) => reached && violations.length === 0).length;
  const missed = results.length - held - broken.length;
  const swept = results.filter(({ facts }) => facts?.sweptSomething).length;
  say(resultTable(results));
  say(
    `${results.length} cases: ${held} held, ${broken.length} broken, ${missed} did not come to their point and say nothing; ${swept} needed the sweeper`,
  );
  for (const { one } of broken) say(`repeat with: npm run chaos -- --seed ${seed} --filter '${one.id}'`);
  return broken.length === 0 && results.length > 0 ? 0 : 1;
}

void main(program.opts<Options>()).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    process.exit(1);
  },
);

import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import type { LeptonClient, LogRange, TimedLine } from '../../../src/lepton/types';
import { linesBackward } from '../../../src/results/logs/lines-backward';
import { linesSince, recordLogTimes } from '../../../src/results/logs/log-times';
import { newestLines } from '../../../src/results/logs/newest-lines';
import { freshFolder } from '../../support/folders';
import { holds } from '../../support/fuzz';

let folder: Awaited<ReturnType<typeof freshFolder>>;
let file: string;
beforeAll(async () => {
  folder = await freshFolder('log-times');
  file = path.join(folder.path, 'job.log');
});
afterAll(() => folder.dispose());

const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n;
const born = Date.UTC(2026, 0, 1);

/** A platform that returns these lines by time. */
function platform(lines: readonly TimedLine[]): Pick<LeptonClient, 'logLines'> & { asked: number } {
  return {
    asked: 0,
    logLines({ from, until, limit, newest }: LogRange) {
      this.asked += 1;
      const found = lines.filter(({ at }) => at >= from && at < until);
      return Promise.resolve(newest ? found.slice(-limit) : found.slice(0, limit));
    },
  };
}

const timed = (texts: readonly string[], stepMs = 1_000): TimedLine[] =>
  texts.map((text, index) => ({ at: ns(born + (index + 1) * stepMs), text }));

async function record(saved: string, client: Pick<LeptonClient, 'logLines'>, secrets: readonly string[] = []) {
  await writeFile(file, saved);
  await recordLogTimes({ client, of: { job: 'j' }, createdAt: born, file, secrets });
}

/** Returns the saved lines since this many seconds after creation. */
async function since(seconds: number): Promise<string[] | string> {
  const found = await linesSince(file, new Date(born + seconds * 1_000));
  if (found.kind === 'unknown') return found.reason;
  const lines = (await readFile(file, 'utf8')).replace(/\n$/, '').split('\n');
  return found.fromEnd === 0 ? [] : lines.slice(-found.fromEnd);
}

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `line ${index + 1}`);

test('finds the lines since a time, even if all lines are identical', async () => {
  for (const lines of [numbered(50), Array.from({ length: 50 }, () => 'Evaluating')]) {
    await record(text(lines), platform(timed(lines)));
    expect(await since(48)).toEqual(lines.slice(-3));
    expect(await since(0)).toEqual(lines);
    expect(await since(51)).toEqual([]);
  }
});

test('gives no line a wrong time, whatever the page size, with equal times, long lines in pieces and carriage returns', async () => {
  const line = fc.oneof(fc.constantFrom('', 'a', 'b', 'ü€😀'), fc.constant('x'.repeat(40_000)));
  await holds(
    fc.asyncProperty(
      fc.array(fc.tuple(line, fc.constantFrom(0, 0, 1, 700)), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 30 }),
      async (parts, asked) => {
        let at = born;
        const lines = parts.map(([content, gap]) => ({ content, at: (at += gap) }));
        const told = lines.flatMap((one) =>
          (one.content.match(/.{1,16384}/gsu) ?? ['']).map((piece) => ({ at: ns(one.at), text: piece })),
        );
        await record(lines.map(({ content }) => `${content}\r\n`).join(''), platform(told));
        const moment = lines[asked % lines.length]?.at ?? born;
        const found = await linesSince(file, new Date(moment));
        const wanted = lines.filter((one) => one.at >= moment).length;
        const spread = lines.filter((one) => one.at >= moment - 100).length;
        expect(found.kind).toBe('lines');
        if (found.kind !== 'lines') return;
        expect(found.fromEnd).toBeGreaterThanOrEqual(wanted);
        expect(found.fromEnd).toBeLessThanOrEqual(spread);
      },
    ),
    { numRuns: 60 },
  );
});

test("times fit although secrets are masked, the platform's log is shorter or longer, or the middle is left out", async () => {
  const secret = 'hf_0123456789abcdef';
  const lines = numbered(200).map((line) => `${line} ${secret}`);
  const saved = lines.map((line) => line.replace(secret, '***'));
  await record(text(saved), platform(timed(lines).slice(0, -3)), [secret]);
  expect(await since(198)).toEqual([]);
  expect(await since(196)).toEqual(saved.slice(195));
  await record(text(saved.slice(0, 150)), platform(timed(lines)), [secret]);
  expect(await since(149)).toEqual(saved.slice(148, 150));
  const gap = [...saved.slice(0, 20), '', '[evalsaga: 1 of 2 bytes are left out here]', ...saved.slice(100)];
  await record(text(gap), platform(timed(lines)), [secret]);
  expect(await since(199)).toEqual(saved.slice(198));
  expect(await since(50)).toMatch(/known only from 2026-01-01T00:01:4\d.* on/);
});

test('the part of a log that the platform has not rotated away has its times', async () => {
  const lines = numbered(5_000);
  await record(text(lines.slice(4_000)), platform(timed(lines)));
  expect(await since(4_999)).toEqual(lines.slice(4_998));
  expect(await since(0)).toEqual(lines.slice(4_000));
});

test('the file says why there are no times: none kept, other lines, no answer, no file, a changed log', async () => {
  await record('a\n', { logLines: () => Promise.resolve(undefined) });
  expect(await since(0)).toBe('the platform returned no times for its lines');
  await record('a\n', platform(timed(['b', 'c'])));
  expect(await since(0)).toMatch(/other lines than the saved log/);
  await record('a\n', { logLines: () => Promise.reject(new Error('503')) });
  expect(await since(0)).toBe('the platform did not return the times: 503');
  await record('a\n', platform(timed(['a'])));
  await writeFile(file, 'a\nb\n');
  expect(await since(0)).toMatch(/changed after/);
  const old = path.join(folder.path, 'old.log');
  await writeFile(old, 'a\n');
  expect(await linesSince(old, new Date())).toEqual({ kind: 'unknown', reason: 'no times were saved with this log' });
});

test('keeps the times that arrived before the platform stopped answering', async () => {
  const lines = numbered(9_000);
  const all = platform(timed(lines));
  await record(text(lines), {
    logLines: (range) => (all.asked > 1 ? Promise.reject(new Error('cut')) : all.logLines(range)),
  });
  expect(await since(8_999)).toEqual(lines.slice(8_998));
  expect(await since(10)).toMatch(/known only from .* on/);
});

test('the file stays small for half a million lines in three days', async () => {
  const lines = numbered(500_000);
  await record(text(lines), platform(timed(lines, 500)));
  expect((await stat(`${file}.times.json`)).size).toBeLessThan(300_000);
  const late = (await since(249_000)) as string[];
  expect(late.length).toBeGreaterThanOrEqual(2_001);
  expect(late.length).toBeLessThan(2_001 + 200);
});

test('pages come newest first, even if more lines than fit a page have the same time', async () => {
  const lines = timed(numbered(10)).map((line, index) => (index > 6 ? { ...line, at: ns(born + 7_000) } : line));
  const found: string[] = [];
  const request = { client: platform(lines), of: { job: 'j' }, createdAt: born, pageLines: 5 };
  for await (const page of newestLines(request)) found.push(...page.map((line) => line.text));
  expect(found).toEqual(numbered(10).reverse());
});

test('reads the lines backwards, until a line of many megabytes', async () => {
  await holds(
    fc.asyncProperty(fc.array(fc.constantFrom('', 'ä', 'b'.repeat(70_000), 'c'.repeat(65_536))), async (lines) => {
      await writeFile(file, text(lines));
      const found: string[] = [];
      for await (const one of linesBackward(file)) found.push(one);
      expect(found.reverse()).toEqual(lines);
    }),
    { numRuns: 40 },
  );
  await writeFile(file, `${'x'.repeat(3_000_000)}\nend\n`);
  const found: string[] = [];
  for await (const one of linesBackward(file)) found.push(one);
  expect(found).toEqual(['end']);
});

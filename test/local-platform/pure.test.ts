import { Readable } from 'node:stream';
import fc from 'fast-check';
import { minSpanMs, type LogSegment } from '../../src/local-platform/logs/log-segments';
import { queryLog, type LogLine } from '../../src/local-platform/logs/log-query';
import { wholeCharacters } from '../../src/local-platform/logs/whole-characters';
import { mergePatch } from '../../src/local-platform/merge-patch';
import { fileSystemOf } from '../../src/local-platform/storage/paths';
import { resultsMount } from '../../src/local-platform/runtimes/simulated/results';
import { holds } from '../support/fuzz';

function chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncIterable<Uint8Array> {
  const ends = [...cuts, bytes.length].map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b);
  return Readable.from(ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end)));
}

test('however a text is split, every chunk passed on consists of whole characters', async () => {
  await holds(
    fc.asyncProperty(fc.string({ unit: 'binary' }), fc.array(fc.nat(80)), async (text, cuts) => {
      const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
      let seen = '';
      for await (const chunk of wholeCharacters(chunksOf(Buffer.from(text), cuts))) seen += strict.decode(chunk);
      expect(seen).toBe(Buffer.from(text).toString());
    }),
  );
});

test('bytes that are not UTF-8 pass unchanged', async () => {
  await holds(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.array(fc.nat(60)), async (bytes, cuts) => {
      const seen = [];
      for await (const chunk of wholeCharacters(
        chunksOf(
          bytes,
          [...cuts].sort((a, b) => a - b),
        ),
      ))
        seen.push(chunk);
      expect(Buffer.concat(seen).equals(Buffer.from(bytes))).toBe(true);
    }),
  );
});

describe('log lines', () => {
  const text = Array.from({ length: 50 }, (_, index) => `lïne ${index}`).join('\n');
  const bytes = Buffer.from(text);
  const query = { from: 0n, until: 1n << 62n, limit: 1_000, backward: false, text: '' };
  const logOf = (content: Buffer, cuts: number[], segments: LogSegment[], isComplete = true) => ({
    open: (from: number) => chunksOf(content.subarray(from), cuts),
    segments,
    isComplete,
  });
  const log = (cuts: number[], segments = [{ from: 0, at: 1_000, size: bytes.length }], isComplete = true) =>
    logOf(bytes, cuts, segments, isComplete);

  test('have distinct times, however the log is chunked and paged', async () => {
    const all = await queryLog(log([3, 4, 30]), query);
    expect(all.map((line) => line.text)).toEqual(text.split('\n'));
    expect(new Set(all.map((line) => line.at)).size).toBe(50);
    const page = await queryLog(log([]), { ...query, from: all[10]?.at ?? 0n, limit: 5 });
    expect(page).toEqual(all.slice(10, 15));
    const tail = await queryLog(log([]), { ...query, backward: true, limit: 7 });
    expect(tail).toEqual(all.slice(-7).reverse());
  });

  test('are dated within the segment in which they end; what no segment covers is left out', async () => {
    const size = (lines: number) => Buffer.byteLength(text.split('\n').slice(0, lines).join('\n')) + 1;
    const segments = [
      { from: 500, at: 1_000, size: size(10) },
      { from: 4_000, at: 5_000, size: size(20) - 3 },
      { from: 8_000, at: 9_000, size: size(30) },
    ];
    const all = await queryLog(log([7], segments), query);
    const within = (from: number, to: number) =>
      all.filter(({ at }) => at > BigInt(from) * 1_000_000n && at <= BigInt(to) * 1_000_000n).length;
    expect([within(500, 1_000), within(4_000, 5_000), within(8_000, 9_000), all.length]).toEqual([10, 9, 11, 30]);
    expect(all[9]?.at).toBe(1_000_000_000n);
    const since = await queryLog(log([], segments), { ...query, from: 5_000_000_001n });
    expect(since.map((line) => line.text)).toEqual(text.split('\n').slice(19, 30));
  });

  test('a line that is being written is left out until it is complete', async () => {
    expect(await queryLog(log([], undefined, false), query)).toHaveLength(49);
  });

  test('a line without end is split between two characters', async () => {
    const long = Buffer.from('ä'.repeat(400_000));
    const cut = await queryLog(logOf(long, [100_001], [{ from: 0, at: 1, size: long.length }]), query);
    expect(cut.length).toBeGreaterThan(1);
    expect(cut.map((line) => line.text).join('')).toBe(long.toString());
  });

  test('paging from either end yields each line once and in order', async () => {
    const line = fc.oneof(fc.string({ maxLength: 12 }), fc.constant('x'.repeat(40_000)));
    await holds(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat(200_000), { maxLength: 6 }),
        fc.integer({ min: 1, max: 7 }),
        async (lines, cuts, limit) => {
          const content = Buffer.from(lines.map((one) => `${one.replaceAll(/[\n\r]/g, ' ')}\n`).join(''));
          const segments = segmentsAt([...cuts.map((cut) => cut % content.length), content.length]);
          const of = logOf(content, cuts, segments);
          const all = await queryLog(of, query);
          expect(all.map((one) => one.text).join('')).toBe(content.toString().replaceAll('\n', ''));
          expect(all.every(({ at }, index) => index === 0 || at > (all[index - 1]?.at ?? 0n))).toBe(true);
          const forward: LogLine[] = [];
          for (let from = 0n; ; from = (forward.at(-1)?.at ?? 0n) + 1n) {
            const page = await queryLog(of, { ...query, from, limit });
            forward.push(...page);
            if (page.length < limit) break;
          }
          const backward: LogLine[] = [];
          for (let until = query.until; ; until = backward.at(-1)?.at ?? 0n) {
            const page = await queryLog(of, { ...query, until, limit, backward: true });
            backward.push(...page);
            if (page.length < limit) break;
          }
          expect(forward).toEqual(all);
          expect(backward.reverse()).toEqual(all);
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** Segments as they are recorded: ascending, and with time for every byte. */
function segmentsAt(sizes: readonly number[]): LogSegment[] {
  const ascending = [...new Set(sizes)].filter((size) => size > 0).sort((a, b) => a - b);
  let last = 1_000;
  return ascending.map((size, index) => {
    const from = last;
    last = from + minSpanMs(size - (ascending[index - 1] ?? 0));
    return { from, at: last, size };
  });
}

test('merge patch follows the examples of RFC 7396', () => {
  expect(mergePatch({ a: 'b' }, { a: 'c' })).toEqual({ a: 'c' });
  expect(mergePatch({ a: 'b', b: 'c' }, { a: null })).toEqual({ b: 'c' });
  expect(mergePatch({ a: ['b'] }, { a: 'c' })).toEqual({ a: 'c' });
  expect(mergePatch({ a: { b: 'c' } }, { a: { b: 'd', c: null } })).toEqual({ a: { b: 'd' } });
  expect(mergePatch({ a: [{ b: 'c' }] }, { a: [1] })).toEqual({ a: [1] });
  expect(mergePatch({ e: null }, { a: 1 })).toEqual({ e: null, a: 1 });
  expect(mergePatch({}, { a: { bb: { ccc: null } } })).toEqual({ a: { bb: {} } });
});

test.each([
  ['node-nfs:lepton-shared-fs', 'lepton-shared-fs'],
  ['node-local', 'default'],
  ['node-nfs:../x', 'default'],
  ['', 'default'],
])('mounts from %j are in the file system %s', (from, name) => expect(fileSystemOf(from)).toBe(name));

test('results go to the innermost mount that contains the output folder', () => {
  const mounts = [
    { path: '/all', from: 'node-nfs:a', mount_path: '/data' },
    { path: '/run', from: 'node-nfs:b', mount_path: '/data/run/' },
  ];
  const at = (value: string) =>
    resultsMount({ id: 'j', name: 'j', spec: { mounts, envs: [{ name: 'EVALSAGA_OUTPUT_DIR', value }] } });
  expect(at('/data/run/0')).toEqual({ from: 'node-nfs:b', path: '/run/0' });
  expect(at('/data/runner')).toEqual({ from: 'node-nfs:a', path: '/all/runner' });
  expect(at('/elsewhere')).toEqual(mounts[0]);
});

test('a job that only carries or removes files writes no results', () => {
  const mounts = [{ from: 'node-nfs:x', path: '/shared', mount_path: '/results' }];
  const envs = [{ name: 'EVALSAGA_COLLECTOR', value: 'remove' }];
  expect(resultsMount({ id: 'j', name: 'j', spec: { mounts, envs } })).toBeUndefined();
});

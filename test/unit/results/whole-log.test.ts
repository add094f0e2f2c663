import type { LogStream, TimedLine } from '../../../src/lepton/types';
import { contentOf, wholeLog } from '../../../src/results/logs/whole-log';

const linesOf = (...texts: string[]): TimedLine[] => texts.map((text, at) => ({ at: BigInt(at + 1), text }));

/** Answers every question with these streams, and counts the questions. */
const platformWith = (streams: readonly LogStream[] | undefined) => {
  const client = { asked: 0, logStreams: () => Promise.resolve((client.asked++, streams)) };
  return client;
};

const read = (client: ReturnType<typeof platformWith>) =>
  wholeLog({ client, of: { job: 'a-1' }, createdAt: undefined });

test('lines are the whole log only if they have its size to the byte', () => {
  const lines = linesOf('first', '', 'zwölf');
  expect(contentOf(lines, 14)?.toString()).toBe('first\n\nzwölf\n');
  expect(contentOf(lines, 13)?.toString()).toBe('first\n\nzwölf');
  // A carriage return that was dropped, a line that was cut in two, a beginning that is missing.
  expect([15, 12, 900].map((bytes) => contentOf(lines, bytes))).toEqual([undefined, undefined, undefined]);
  expect(contentOf(lines, undefined)).toBeUndefined();
  expect(contentOf([], 0)?.byteLength).toBe(0);
});

test('bytes that were replaced because they are no UTF-8 are noticed even if the size fits', () => {
  const lines = linesOf('a\ufffdb');
  expect(contentOf(lines, 6)).toBeUndefined();
});

test('one request reads the log of a single writer with its times', async () => {
  const lines = linesOf('one', 'two');
  const client = platformWith([{ lines, logBytes: 8 }]);
  expect(await read(client)).toEqual({ content: Buffer.from('one\ntwo\n'), lines });
  expect(client.asked).toBe(1);
});

test.each([
  [
    'several writers',
    [
      { lines: linesOf('a'), logBytes: 2 },
      { lines: linesOf('b'), logBytes: 2 },
    ],
  ],
  ['a full page', [{ lines: linesOf(...Array<string>(2_000).fill('')), logBytes: 2_000 }]],
  ['no lines', []],
  ['no such route', undefined],
] as const)('with %s the replicas have to be read', async (_, streams) => {
  expect(await read(platformWith(streams))).toBeUndefined();
});

test('a platform that says no sizes is asked once, not for every log', async () => {
  const client = platformWith([{ lines: linesOf('a'), logBytes: undefined }]);
  expect([await read(client), await read(client)]).toEqual([undefined, undefined]);
  expect(client.asked).toBe(1);
});

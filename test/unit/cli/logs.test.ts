import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileBytes, logLines, liveLines } from '../../../src/cli/logs/log-lines';
import { LogPrinter, type Reading } from '../../../src/cli/logs/log-printer';
import { logSources, type LiveSource } from '../../../src/cli/logs/log-sources';
import { LeptonError } from '../../../src/lepton/lepton-error';
import { freshFolder } from '../../support/folders';
import { runPlan } from '../../support/plans';

async function* pieces(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of await Promise.resolve(parts)) yield typeof part === 'string' ? Buffer.from(part) : part;
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

describe('lines', () => {
  test('a character split over two chunks stays whole; the last line needs no line end', async () => {
    const bytes = Buffer.from('naïve 李明\nend');
    const split = Array.from(bytes, (byte) => Uint8Array.of(byte));
    expect(await collect(logLines(pieces(...split)))).toEqual(['naïve 李明', 'end']);
  });

  test('only the last state of a progress bar is kept; escape sequences are removed', async () => {
    expect(await collect(logLines(pieces('10%\r50%\r100%\r\n\u001b[31mred\u001b[0m\n')))).toEqual(['100%', 'red']);
  });

  test('an endless line is cut, not collected in memory', async () => {
    const lines = await collect(logLines(pieces('x'.repeat(200_000))));
    expect(lines.join('')).toHaveLength(200_000);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(64 * 1024);
  });

  test('an endless line is cut between two characters, whatever the size of the chunks', async () => {
    const bytes = Buffer.from(`a${'😀'.repeat(70_000)}`);
    for (const size of [1_000, 65_536, 100_001]) {
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      const lines = await collect(logLines(pieces(...parts)));
      expect(lines.length).toBeGreaterThan(1);
      expect(lines.every((line) => !/\p{Surrogate}/u.test(line))).toBe(true);
      expect(lines.join('')).toBe(bytes.toString());
    }
  });
});

describe('the last lines of a file', () => {
  let folder: Awaited<ReturnType<typeof freshFolder>>;
  beforeAll(async () => (folder = await freshFolder('logs')));
  afterAll(() => folder.dispose());

  const tail = async (content: string, count: number | undefined): Promise<string[]> => {
    const file = path.join(folder.path, 'job.log');
    writeFileSync(file, content);
    return collect(logLines(fileBytes(file, count)));
  };

  test.each([
    ['a\nb\nc\n', 2, ['b', 'c']],
    ['a\nb\nc', 2, ['b', 'c']],
    ['a\n', 5, ['a']],
    ['', 5, []],
    ['a\nb\n', 0, []],
    ['a\nb\n', undefined, ['a', 'b']],
  ])('%j, %s', async (content, count, expected) => {
    expect(await tail(content, count)).toEqual(expected);
  });

  test('of half a million lines include the error at the end', async () => {
    const file = path.join(folder.path, 'big.log');
    writeFileSync(file, 'Evaluating 李明 sample\n'.repeat(500_000));
    appendFileSync(file, 'RuntimeError: boom\n');
    expect(await collect(logLines(fileBytes(file, 2)))).toEqual(['Evaluating 李明 sample', 'RuntimeError: boom']);
  });
});

describe('a live log', () => {
  async function* endless(...lines: string[]): AsyncGenerator<string> {
    yield* lines;
    await new Promise(() => undefined);
  }

  test('that is not followed ends when no more output comes', async () => {
    expect(await collect(liveLines(endless('a', 'b', 'c'), { follow: false, tail: undefined }))).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(await collect(liveLines(endless('a', 'b', 'c'), { follow: false, tail: 2 }))).toEqual(['b', 'c']);
  });

  test('that is followed to its end is complete; a tail limits only the lines that are there at first', async () => {
    async function* growing(): AsyncGenerator<string> {
      yield* ['a', 'b', 'c'];
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      yield* ['d', 'e', 'f'];
    }
    expect(await collect(liveLines(growing(), { follow: true, tail: 1, quietMs: 200 }))).toEqual(['c', 'd', 'e', 'f']);
    expect(await collect(liveLines(growing(), { follow: true, tail: undefined }))).toHaveLength(6);
  });

  test('that never pauses is followed, too', async () => {
    let isRead = false;
    async function* busy(): AsyncGenerator<string> {
      for (let line = 0; !isRead; line += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        yield String(line);
      }
    }
    const first = liveLines(busy(), { follow: true, tail: 1 })[Symbol.asyncIterator]();
    expect(Number((await first.next()).value)).toBeGreaterThan(10);
    isRead = true;
    await first.return?.(undefined);
  });
});

describe('followed replicas', () => {
  const ended = () => Promise.resolve(true);
  const replica = (name: string, open: () => AsyncIterable<Uint8Array>): LiveSource => ({
    ...{ kind: 'live', replica: name, of: { deployment: 'd' }, createdAt: 1, open },
    ...{ isOver: ended, hasEnded: ended },
  });

  function printer(): { printer: LogPrinter; written: string[]; notes: string[] } {
    const plan = runPlan({ outputRoot: '/nowhere' });
    const [task] = plan.tasks;
    const written: string[] = [];
    const notes: string[] = [];
    const output = {
      write: (text: string) => Promise.resolve(void written.push(text)),
      readerGone: new AbortController().signal,
    };
    const reading = {
      ...{ context: { output }, plan, kind: 'endpoint', marked: false },
      wish: {
        client: undefined,
        follow: true,
        tail: undefined,
        since: undefined,
        secrets: [],
        note: (text: string) => notes.push(text),
      },
      snapshotOf: () => Promise.resolve(undefined),
    } as unknown as Reading;
    if (!task) throw new Error('no task');
    return { printer: new LogPrinter(task, reading), written, notes };
  }

  test('one that appears later is followed, too; each is printed once, with its name if there are several', async () => {
    const { printer: logs, written } = printer();
    const [first, second] = [replica('r0', () => pieces('one\n')), replica('r1', () => pieces('two\n'))];
    await logs.start([first]);
    await logs.wait(5_000);
    await logs.start([first, second]);
    await logs.wait(5_000);
    expect(written).toEqual(['one\n', '[r1] two\n']);
    expect(await logs.isAtEnd([first, second])).toBe(true);
  });

  test('one that disappears while it is read is reported, and the others are still read', async () => {
    const { printer: logs, written, notes } = printer();
    async function* gone(): AsyncGenerator<Uint8Array> {
      yield* pieces('begun\n');
      throw new LeptonError('404', { kind: 'not_found', request: 'GET /log' });
    }
    const sources = [replica('r0', gone), replica('r1', () => pieces('two\n'))];
    await logs.start(sources);
    while (!(await logs.isAtEnd(sources))) await logs.wait(5_000);
    expect(written.sort()).toEqual(['[r0] begun\n', '[r1] two\n']);
    expect(notes).toEqual(['replica r0 is gone from the platform']);
  });
});

test('of a task that has only logs of earlier attempts, those are found, in their order', async () => {
  const folder = await freshFolder('log-sources');
  const plan = runPlan({ outputRoot: folder.path });
  const [task] = plan.tasks;
  if (!task) throw new Error('no task');
  const logs = path.join(plan.outputDir, task.folder, 'logs');
  mkdirSync(logs, { recursive: true });
  for (const name of ['endpoint-attempt-2.log', 'endpoint-attempt-1.1.log', 'endpoint-attempt-1.log', 'job.log'])
    writeFileSync(path.join(logs, name), name);
  const { signal } = new AbortController();
  const request = { plan, task, kind: 'endpoint', runsFolder: folder.path, client: undefined, signal } as const;
  const found = async () =>
    (await logSources(request)).map((source) => (source.kind === 'file' ? path.basename(source.file) : source.replica));
  expect(await found()).toEqual(['endpoint-attempt-1.log', 'endpoint-attempt-1.1.log', 'endpoint-attempt-2.log']);
  writeFileSync(path.join(logs, 'endpoint.log'), 'the last one');
  expect(await found()).toEqual(['endpoint.log']);
  await folder.dispose();
});

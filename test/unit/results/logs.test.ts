import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { LeptonError } from '../../../src/lepton/lepton-error';
import { timeLimitedLog } from '../../../src/results/logs/time-limited-log';
import { followLog } from '../../../src/results/logs/follow-log';
import { saveLog } from '../../../src/results/logs/save-log';
import { freshFolder } from '../../support/folders';
import { holds } from '../../support/fuzz';

let folder: { path: string; dispose: () => Promise<void> };
let file: string;

beforeEach(async () => {
  folder = await freshFolder('logs');
  file = path.join(folder.path, 'logs', 'job.log');
});
afterEach(() => folder.dispose());

// eslint-disable-next-line @typescript-eslint/require-await -- a source is asynchronous by nature
async function* source(...pieces: (string | Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    yield typeof piece === 'string' ? Buffer.from(piece) : piece;
  }
}

const saved = () => readFile(file, 'utf8');
const cut = new LeptonError('the connection was cut', { kind: 'network', request: 'GET /log' });

describe('saveLog', () => {
  test('saves a small log whole, however it is cut into pieces', async () => {
    expect(await saveLog({ source: source('one\ntw', 'o\n'), file, maxBytes: 1_000 })).toEqual({
      bytes: 8,
      leftOut: 0,
    });
    expect(await saved()).toBe('one\ntwo\n');
    expect(await readdir(path.dirname(file))).toEqual(['job.log']);
  });

  test('saves head and tail of a long log in whole lines, and says how much is missing', async () => {
    const lines = Array.from({ length: 2_000 }, (_, at) => `line ${at} ünï\n`);
    const { bytes, leftOut } = await saveLog({ source: source(...lines), file, maxBytes: 2_000 });
    expect(bytes).toBe(Buffer.byteLength(lines.join('')));
    const text = await saved();
    expect(text).toContain(`[evalsaga: ${leftOut} of ${bytes} bytes are left out here]`);
    const [head = '', tail = ''] = text.split(/\n\[evalsaga.*\]\n/);
    expect(lines.join('').startsWith(head)).toBe(true);
    expect(lines.join('').endsWith(tail)).toBe(true);
    expect(head.endsWith('\n') && tail.startsWith('line ')).toBe(true);
    expect(Buffer.byteLength(head) + Buffer.byteLength(tail) + leftOut).toBe(bytes);
    expect(Buffer.byteLength(tail)).toBeGreaterThan(900);
  });

  test('any log with any limit: no byte is invented or miscounted, no character is split', async () => {
    await holds(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', '\n'), maxLength: 40 }), { maxLength: 30 }),
        fc.integer({ min: 32, max: 400 }),
        fc.integer({ min: 1, max: 50 }),
        async (parts, maxBytes, pieceSize) => {
          const whole = Buffer.from(parts.join(''));
          const pieces = Array.from({ length: Math.ceil(whole.length / pieceSize) }, (_, at) =>
            whole.subarray(at * pieceSize, (at + 1) * pieceSize),
          );
          const { bytes, leftOut } = await saveLog({ source: source(...pieces), file, maxBytes });
          expect(bytes).toBe(whole.length);
          const text = whole.length === 0 ? '' : await saved();
          if (leftOut === 0) return expect(text).toBe(whole.toString());
          const [head = '', tail = ''] = text.split(/\n\[evalsaga: .*\]\n/);
          expect(whole.toString().startsWith(head)).toBe(true);
          expect(whole.toString().endsWith(tail)).toBe(true);
          expect(Buffer.byteLength(head) + Buffer.byteLength(tail) + leftOut).toBe(bytes);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('a log of 300 MB takes little memory, and its end is saved', async () => {
    let peak = 0;
    const before = process.memoryUsage().arrayBuffers;
    // Each piece has its own memory, as from a socket, so that a leak of pieces shows.
    // eslint-disable-next-line @typescript-eslint/require-await
    async function* huge(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 300; at += 1) {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers);
        yield Buffer.alloc(1_000_000, 'x'.repeat(99) + '\n');
      }
      yield Buffer.from('CUDA out of memory\n');
    }
    const unhurried = { withinMs: 600_000, lastLines: () => Promise.resolve(undefined) };
    const source = (signal: AbortSignal) => timeLimitedLog(huge, { ...unhurried, signal });
    const { bytes } = await saveLog({ source, file, maxBytes: 4_000_000 });
    expect(bytes).toBe(300_000_019);
    expect((await stat(file)).size).toBeLessThan(4_001_000);
    expect((await saved()).endsWith('CUDA out of memory\n')).toBe(true);
    expect(peak - before).toBeLessThan(150_000_000);
  });

  test('keeps and marks what came before a cut, and throws the error; never replaces a longer log by a shorter one', async () => {
    await expect(saveLog({ source: source('first\nsec', cut), file, maxBytes: 1_000 })).rejects.toBe(cut);
    expect(await saved()).toBe('first\nsec\n[evalsaga: the log broke off here: the connection was cut]\n');
    await saveLog({ source: source('x'.repeat(200)), file, maxBytes: 1_000 });
    await expect(saveLog({ source: source('first\n', cut), file, maxBytes: 1_000 })).rejects.toBe(cut);
    await expect(saveLog({ source: source(cut), file, maxBytes: 1_000 })).rejects.toBe(cut);
    await saveLog({ source: source(), file, maxBytes: 1_000 });
    expect(await saved()).toBe('x'.repeat(200));
    expect(await readdir(path.dirname(file))).toEqual(['job.log']);
  });

  test('a part of a log never replaces a whole one that was saved before, but more than it had', async () => {
    /** Gives `head`, and is then too slow. */
    const slow = (head: string) => {
      const never = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.from(head);
        await new Promise(() => undefined);
      };
      return (signal: AbortSignal) =>
        timeLimitedLog(never, { withinMs: 50, lastLines: () => Promise.resolve(['x'.repeat(500)]), signal });
    };
    const whole = 'a line of a whole log\n'.repeat(20);
    await saveLog({ source: source(whole), file, maxBytes: 10_000 });
    expect(await saveLog({ source: slow(whole.slice(0, 200)), file, maxBytes: 10_000 })).toMatchObject({
      isCut: true,
      isEarlier: true,
    });
    expect(await saved()).toBe(whole);
    // The log has grown since, and more of it came than was there.
    expect(await saveLog({ source: slow(`${whole}more`), file, maxBytes: 10_000 })).toMatchObject({ isCut: true });
    expect(await saved()).toMatch(/more\n\[evalsaga: the log did not come whole.*\]\nx+\n$/);
  });

  test('a log that fell silent replaces no longer one, but one that had broken off before', async () => {
    const silent = (text: string) =>
      async function* (signal: AbortSignal): AsyncGenerator<Uint8Array> {
        yield Buffer.from(text);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      };
    const save = (text: string) => saveLog({ source: silent(text), file, maxBytes: 1_000, quietMs: 50 });
    await expect(saveLog({ source: source('one\ntwo\n', cut), file, maxBytes: 1_000 })).rejects.toBe(cut);
    await save('one\ntwo\nthree\n');
    expect(await saved()).toBe('one\ntwo\nthree\n');
    await save('one\n');
    expect(await saved()).toBe('one\ntwo\nthree\n');
  });

  test('a log that falls silent counts as complete, and its reading ends', async () => {
    let ended = false;
    const live = async function* (signal: AbortSignal): AsyncGenerator<Uint8Array> {
      yield Buffer.from('so far\n');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      ended = true;
    };
    expect(await saveLog({ source: live, file, maxBytes: 1_000, quietMs: 50 })).toEqual({ bytes: 7, leftOut: 0 });
    expect(await saved()).toBe('so far\n');
    expect(ended).toBe(true);
  });

  test("an abort ends it with the abort's reason, even while nothing arrives", async () => {
    const abort = new AbortController();
    const silent = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a\n');
      abort.abort(new Error('shutting down'));
      await new Promise(() => undefined);
    };
    await expect(saveLog({ source: silent(), file, maxBytes: 100, signal: abort.signal })).rejects.toThrow(
      'shutting down',
    );
    expect(await saved()).toContain('a\n');
  });
});

describe('followLog', () => {
  /** Each opening takes the next of `passes`; `isOver` once they are used up. */
  async function follow(passes: (string | Uint8Array | Error)[][], more: { longestOutageMs?: number } = {}) {
    const queue = [...passes];
    const notes: string[] = [];
    const pieces: string[] = [];
    const log = followLog({
      open: () => source(...(queue.length > 1 ? (queue.shift() ?? []) : (queue[0] ?? []))),
      isOver: () => Promise.resolve(queue.length <= 1),
      signal: new AbortController().signal,
      onNote: (note) => notes.push(note),
      ...more,
    });
    for await (const piece of log) pieces.push(piece);
    return { text: pieces.join(''), pieces, notes };
  }

  test('never splits a character', async () => {
    const bytes = Buffer.from('a😀é\n');
    const { pieces } = await follow([[...bytes].map((byte) => Uint8Array.of(byte))]);
    expect(pieces).toEqual(['a', '😀', 'é', '\n']);
  });

  test('continues with the very next byte after a cut, even within a character', async () => {
    const whole = Buffer.from('one\ntw😀o\nthree\n');
    for (const at of [0, 3, 7, 8, 9, 12]) {
      const { text, notes } = await follow([[whole.subarray(0, at), cut], [whole]]);
      expect(text).toBe(whole.toString());
      expect(notes).toEqual([expect.stringContaining('cut')]);
    }
  });

  test('reopens a log that ended before its writer did', async () => {
    expect((await follow([['one\n'], ['one\n', 'two\n'], ['one\n', 'two\n', 'three\n']])).text).toBe(
      'one\ntwo\nthree\n',
    );
  });

  test('reads a restarted log from its beginning', async () => {
    const { text, notes } = await follow([['first writer\n'], ['second\n']]);
    expect(text).toBe('first writer\nsecond\n');
    expect(notes).toEqual([expect.stringContaining('restarted')]);
  });

  test('a log that is refused or unreachable for too long is an error', async () => {
    const refused = new LeptonError('403', { kind: 'forbidden', request: 'GET /log' });
    await expect(follow([[refused]])).rejects.toBe(refused);
    await expect(follow([[cut]], { longestOutageMs: 100 })).rejects.toBe(cut);
  });

  test('an abort ends it without an error', async () => {
    const abort = new AbortController();
    const pieces: string[] = [];
    // eslint-disable-next-line @typescript-eslint/require-await
    const open = async function* (signal: AbortSignal): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a\n');
      signal.throwIfAborted();
    };
    for await (const piece of followLog({ open, isOver: () => Promise.resolve(false), signal: abort.signal })) {
      pieces.push(piece);
      abort.abort();
    }
    expect(pieces).toEqual(['a\n']);
  });
});

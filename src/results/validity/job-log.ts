import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { distributionOf, type Distribution } from '../requests/distribution';

/** What a job's log says about its requests and about what the harness did differently. */
export interface LogFacts {
  /** From the harness' request until the answer reached it, milliseconds; absent: the log doesn't say. */
  readonly latencyMs?: Distribution;
  /** Requests that the harness answered from its own cache, and those that it sent. */
  readonly cached: number;
  readonly sent: number;
  /** Warnings that a prompt was cut to fit the context. */
  readonly cutPrompts: number;
  /** What the harness or the local platform used in place of what was asked for. */
  readonly fallbacks: readonly string[];
}

/** Requests whose times are kept; of more, the first ones. */
const mostRequests = 500_000;
/** Requests under way at the same time; a log with its middle left out has beginnings without an end. */
const mostOpen = 50_000;
const mostFallbacks = 20;

const request = /^\[[A-Z] (\d{4}-\d\d-\d\dT[\d:.]+)\] Request (started|completed)\b.*?\brequest_id=([\w-]+)/;
const cache = /\bCached requests: (\d+), Requests remaining: (\d+)/;
const cut = /Left truncating context|They were left truncated/;
const ignoredShots = /num_fewshot has been set to 0 for (\S+) in its config\. Manual configuration will be ignored/;
const localTokenizer = /^evalsaga: this machine's defaults:.*\bconfig\.params\.extra\.tokenizer=(\S+)/;
const anyTokenizer = /Cannot determine EOS string to pass to stop sequence/;

/** Reads a job's log, line by line. `undefined`: there is none, or no time was left before `deadline` (milliseconds since the epoch). */
export async function readJobLog(file: string, deadline: number): Promise<LogFacts | undefined> {
  const facts = new LogReader();
  const stream = createReadStream(file);
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
      if (Date.now() > deadline) return undefined;
      facts.add(line);
    }
    return facts.facts();
  } catch {
    return undefined;
  } finally {
    stream.destroy();
  }
}

/** Collects the facts of a log, line by line. */
export class LogReader {
  private readonly started = new Map<string, number>();
  private readonly latencies: number[] = [];
  private readonly fallbacks = new Set<string>();
  private cached = 0;
  private sent = 0;
  private cutPrompts = 0;

  add(written: string): void {
    const line = withoutBars(written);
    // Logs of large runs have millions of lines, nearly all of them about requests.
    if (line.startsWith('[')) return this.addRequest(line);
    const counted = cache.exec(line);
    if (counted) {
      this.cached += Number(counted[1]);
      this.sent += Number(counted[2]);
    }
    if (cut.test(line)) this.cutPrompts += 1;
    const fallback = fallbackIn(line);
    if (fallback !== undefined && this.fallbacks.size < mostFallbacks) this.fallbacks.add(fallback);
  }

  facts(): LogFacts {
    const latencyMs = distributionOf(this.latencies);
    const { cached, sent, cutPrompts } = this;
    return { ...(latencyMs ? { latencyMs } : {}), cached, sent, cutPrompts, fallbacks: [...this.fallbacks] };
  }

  private addRequest(line: string): void {
    const [, time, event, id] = request.exec(line) ?? [];
    if (time === undefined || id === undefined) return;
    const at = Date.parse(`${time}Z`);
    if (event === 'started') {
      if (this.started.size < mostOpen) this.started.set(id, at);
      return;
    }
    const from = this.started.get(id);
    this.started.delete(id);
    if (from !== undefined && at >= from && this.latencies.length < mostRequests) this.latencies.push(at - from);
  }
}

/** A progress bar has no end of line: what is written next follows it. */
const afterBars = /^.*\d+\/\d+ \[[^\]]*\](?=\S)/;

const withoutBars = (line: string): string => (line.includes('%|') ? line.replace(afterBars, '') : line);

function fallbackIn(line: string): string | undefined {
  const ignored = ignoredShots.exec(line);
  if (ignored) return `${ignored[1]} was run 0-shot, as its definition demands, whatever num_fewshot says`;
  const tokenizer = localTokenizer.exec(line);
  if (tokenizer) return 'the tokenizer is the one of the weights that were served, not the one that was named';
  if (anyTokenizer.test(line)) return 'no tokenizer was available, so that no end-of-text was sent as a stop sequence';
  return undefined;
}

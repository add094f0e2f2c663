import { stat } from 'node:fs/promises';
import path from 'node:path';
import { jsonLines } from '../samples/json-lines';
import { harnessFiles } from '../samples/sample-files';

/** What the per-sample files of lm-evaluation-harness (`samples_<task>_<time>.jsonl`) say about the answers. */
export interface SampleFacts {
  /** Number of different samples by task of the harness. */
  readonly samples: ReadonlyMap<string, number>;
  /** Generated answers, and how many of them hold nothing but white space. */
  readonly answers: number;
  readonly empty: number;
  /** Files that were not read to their end, because they are too large or no time was left. */
  readonly unread: readonly string[];
}

export interface ReadingLimits {
  /** Of all files together. */
  readonly maxBytes: number;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

/** Reads the newest file of each task below `folder`. */
export async function readSampleFacts(folder: string, limits: ReadingLimits): Promise<SampleFacts> {
  const facts = { samples: new Map<string, number>(), answers: 0, empty: 0, unread: [] as string[] };
  let left = limits.maxBytes;
  for (const { task, file } of (await harnessFiles(folder)).samples) {
    const size = await stat(file).then(
      (found) => found.size,
      () => Infinity,
    );
    if (size > left || Date.now() > limits.deadline) {
      facts.unread.push(path.basename(file));
      continue;
    }
    left -= size;
    const read = await readFile(file, limits.deadline);
    if (!read.isWhole) facts.unread.push(path.basename(file));
    else facts.samples.set(task, read.samples.size);
    facts.answers += read.answers;
    facts.empty += read.empty;
  }
  return facts;
}

interface FileFacts {
  readonly samples: Set<string>;
  answers: number;
  empty: number;
  isWhole: boolean;
}

async function readFile(file: string, deadline: number): Promise<FileFacts> {
  const facts: FileFacts = { samples: new Set(), answers: 0, empty: 0, isWhole: true };
  try {
    for await (const read of jsonLines(file)) {
      if (Date.now() > deadline) return { ...facts, isWhole: false };
      if (read.kind === 'object') addSample(read.content, facts);
      else facts.isWhole = false;
    }
  } catch {
    facts.isWhole = false;
  }
  return facts;
}

/** A sample has one line per filter, each with the same answers: they count once. */
function addSample(sample: Readonly<Record<string, unknown>>, facts: FileFacts): void {
  const id = JSON.stringify(sample['doc_id'] ?? sample['doc_hash'] ?? facts.samples.size);
  if (facts.samples.has(id)) return;
  facts.samples.add(id);
  const { answers, empty } = countAnswers(sample['resps']);
  facts.answers += answers;
  facts.empty += empty;
}

/** Returns the generated texts of one sample: scored continuations are pairs, `["-3.2", "True"]`, in place of texts. Pure. */
export function countAnswers(answered: unknown): { readonly answers: number; readonly empty: number } {
  const texts = (Array.isArray(answered) ? answered : []).flatMap((repeats: unknown) =>
    (Array.isArray(repeats) ? repeats : [repeats]).filter((answer) => typeof answer === 'string'),
  );
  return { answers: texts.length, empty: texts.filter((text) => text.trim() === '').length };
}

import { jsonLines } from './json-lines';

/** One sample, as lm-evaluation-harness logs it (`samples_<task>_<time>.jsonl`). */
export interface Sample {
  readonly kind: 'sample';
  /** In its file, from 1. */
  readonly line: number;
  /** The sample's number in the data set. */
  readonly docId: string | null;
  /** Hashes of the document, the prompt and the target; `null` in files of older harnesses. */
  readonly docHash: string | null;
  readonly promptHash: string | null;
  readonly targetHash: string | null;
  /** How the answer was taken out of the response, e.g. `strict-match`; `none`. */
  readonly filter: string;
  /** What the harness measured on this sample: numbers, or what its aggregation takes. */
  readonly metrics: Readonly<Record<string, unknown>>;
  /** The whole line: `doc`, `target`, `arguments`, `resps`, `filtered_resps` and more. */
  readonly content: Readonly<Record<string, unknown>>;
}

/** A line that is no sample: cut, damaged, or of another form. */
export interface DamagedSample {
  readonly kind: 'damaged';
  readonly line: number;
  readonly reason: string;
}

/** Reads samples as a stream. Rejects like `createReadStream`. */
export async function* readSamples(file: string): AsyncGenerator<Sample | DamagedSample, void, undefined> {
  for await (const read of jsonLines(file)) yield read.kind === 'damaged' ? read : sampleOf(read.line, read.content);
}

/** Pure. */
function sampleOf(line: number, content: Readonly<Record<string, unknown>>): Sample | DamagedSample {
  const docId = content['doc_id'];
  const docHash = textOf(content['doc_hash']);
  const isNumbered = typeof docId === 'number' || typeof docId === 'string';
  if (!isNumbered && docHash === null)
    return { kind: 'damaged', line, reason: 'neither doc_id nor doc_hash: not a sample' };
  return {
    kind: 'sample',
    line,
    docId: isNumbered ? String(docId) : null,
    docHash,
    promptHash: textOf(content['prompt_hash']),
    targetHash: textOf(content['target_hash']),
    filter: textOf(content['filter']) ?? 'none',
    metrics: metricsIn(content),
    content,
  };
}

/** Keys of a sample that are no metrics, for files of harnesses that don't list them. */
const otherKeys = new Set(
  'doc_id doc target arguments resps filtered_resps filter metrics doc_hash prompt_hash target_hash'.split(' '),
);

function metricsIn(content: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const listed = content['metrics'];
  const names = Array.isArray(listed)
    ? listed.filter((name) => typeof name === 'string')
    : Object.keys(content).filter((key) => !otherKeys.has(key));
  return Object.fromEntries(names.map((name) => [name, content[name]]));
}

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

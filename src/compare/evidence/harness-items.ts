import type { HarnessFile } from '../../results/samples/sample-files';
import { readSamples, type Sample } from '../../results/samples/read-samples';
import type { HarnessSummary } from '../../results/samples/harness-summary';
import type { Item, ItemSource } from './evidence';

/** Returns the source of a task's samples. `summary`: of the same run, if there is one. */
export function harnessItems(
  { file, task }: HarnessFile,
  path: readonly string[],
  summary: HarnessSummary | undefined,
): ItemSource {
  return {
    path,
    file,
    expected: summary?.['n-samples'][task]?.effective ?? null,
    isMean: false,
    async *read() {
      for await (const sample of readSamples(file)) yield sample.kind === 'damaged' ? sample : itemOf(sample);
    },
  };
}

/** Pure. */
function itemOf({ line, docHash, docId, filter, promptHash, targetHash, metrics, content }: Sample): Item {
  return {
    kind: 'item',
    line,
    hash: docHash,
    id: docId,
    filter: filter === 'none' ? null : filter,
    prompt: promptHash,
    target: targetHash,
    values: numbersIn(metrics),
    category: null,
    content,
  };
}

function numbersIn(metrics: Readonly<Record<string, unknown>>): Item['values'] {
  const values: Record<string, number | readonly number[]> = {};
  for (const [name, value] of Object.entries(metrics)) {
    const read = Array.isArray(value) ? numbersOf(value) : numberOf(value);
    if (read !== undefined) values[name] = read;
  }
  return values;
}

function numbersOf(list: readonly unknown[]): readonly number[] | undefined {
  const numbers = list.map(numberOf);
  return numbers.length > 0 && numbers.every((number) => number !== undefined) ? numbers : undefined;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

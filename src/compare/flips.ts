import type { Flip } from './comparison';
import type { MeasuredScore } from './compare-score';
import type { Item, ItemSource } from './evidence/evidence';
import { answerOf, promptOf, targetOf } from './sample-texts';

/** The samples that changed most, with their texts: read again from the files, since only their numbers were kept. */

interface Place {
  readonly task: string;
  readonly base: number;
  readonly candidate: number;
  readonly baseLine: number;
  readonly candidateLine: number;
  readonly baseFile: string;
  readonly candidateFile: string;
}

/** Returns the flips of each score, those for the worse first. Rejects with errors of the file system. */
export async function readFlips(
  scores: readonly MeasuredScore[],
  sources: { readonly base: readonly ItemSource[]; readonly candidate: readonly ItemSource[] },
  count: number,
): Promise<Map<MeasuredScore, Flip[]>> {
  const places = new Map(scores.map((score) => [score, placesOf(score, count)]));
  const all = [...places.values()].flat();
  const wanted = (side: 'base' | 'candidate') =>
    itemsAt(
      sources[side],
      all.map((place) => ({ file: place[`${side}File`], line: place[`${side}Line`] })),
    );
  const [before, after] = [await wanted('base'), await wanted('candidate')];
  return new Map(
    [...places].map(([score, own]) => [
      score,
      own.map((place) =>
        flipOf(place, {
          base: before.get(`${place.baseFile}:${place.baseLine}`),
          candidate: after.get(`${place.candidateFile}:${place.candidateLine}`),
          filter: score.filter,
        }),
      ),
    ]),
  );
}

function placesOf({ samples, better }: MeasuredScore, count: number): Place[] {
  if (!samples) return [];
  const { values } = samples.differences;
  const sign = better === 'higher' ? 1 : -1;
  const changed = [...values.keys()].filter((at) => values[at] !== 0);
  changed.sort((one, other) => sign * (values[one] ?? 0) - sign * (values[other] ?? 0));
  return changed.slice(0, count).flatMap((at): Place[] => {
    const source = samples.sources[samples.places.source[at] ?? 0];
    const pair = samples.places.pair[at] ?? 0;
    if (!source) return [];
    return [
      {
        task: source.path.at(-1) ?? '',
        base: samples.base[at] ?? NaN,
        candidate: samples.candidate[at] ?? NaN,
        baseLine: source.baseLines[pair] ?? 0,
        candidateLine: source.candidateLines[pair] ?? 0,
        baseFile: source.base.file,
        candidateFile: source.candidate.file,
      },
    ];
  });
}

async function itemsAt(
  sources: readonly ItemSource[],
  wanted: readonly { readonly file: string; readonly line: number }[],
): Promise<Map<string, Item[]>> {
  const found = new Map<string, Item[]>();
  for (const source of sources) {
    const lines = wanted.filter(({ file }) => file === source.file).map(({ line }) => line);
    if (lines.length === 0) continue;
    await collect(source, new Set(lines), found);
  }
  return found;
}

async function collect(source: ItemSource, lines: ReadonlySet<number>, found: Map<string, Item[]>): Promise<void> {
  // The harness writes a sample once per filter: all samples with the first one, then all with the next.
  const open = new Map<string, Item[]>();
  for await (const item of source.read()) {
    if (item.kind === 'damaged') continue;
    const sample = `${item.id} ${item.hash}`;
    if (lines.has(item.line)) {
      const items: Item[] = [item];
      found.set(`${source.file}:${item.line}`, items);
      open.set(sample, items);
    } else open.get(sample)?.push(item);
  }
}

function flipOf(
  place: Place,
  sides: {
    readonly base: readonly Item[] | undefined;
    readonly candidate: readonly Item[] | undefined;
    readonly filter: string | null;
  },
): Flip {
  const own = (items: readonly Item[] | undefined): Item | undefined =>
    items?.find(({ filter }) => filter === sides.filter) ?? items?.[0];
  const [before, after] = [own(sides.base), own(sides.candidate)];
  return {
    task: place.task,
    id: before?.id ?? null,
    base: place.base,
    candidate: place.candidate,
    prompt: before ? promptOf(before.content) : null,
    target: before ? targetOf(before.content) : null,
    baseAnswer: before ? answerOf(before.content) : null,
    candidateAnswer: after ? answerOf(after.content) : null,
  };
}

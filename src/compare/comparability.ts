import type { Difference, SampleComparison } from './comparison';
import type { Setting, SettingKind, TaskEvidence } from './evidence/evidence';
import type { DifferenceKind } from './options';
import type { PairedSamples } from './pairing/read-pairs';

/** Whether two results are of the same test. Pure. */

export const effects: Readonly<Record<DifferenceKind, Difference['effect']>> = {
  'task-version': 'refuses',
  'few-shot': 'refuses',
  generation: 'refuses',
  samples: 'refuses',
  incomplete: 'refuses',
  limit: 'warns',
  prompts: 'warns',
  'prompt-format': 'warns',
  'endpoint-type': 'warns',
  image: 'warns',
  harness: 'warns',
  seed: 'warns',
  model: 'notes',
};

export interface Both<T> {
  readonly base: T;
  readonly candidate: T;
}

/** Returns what the two sides don't share, the gravest first. Settings that only one side tells are no difference. */
export function differencesOf(
  { base, candidate }: Both<TaskEvidence>,
  samples: readonly PairedSamples[],
  accept: readonly DifferenceKind[],
): Difference[] {
  const found = [...settingDifferences(base.settings, candidate.settings), ...sampleDifferences(samples)];
  const isPaired = samples.length > 0;
  const all = found.map((difference): Difference => {
    // With other limits the samples in common are compared; without samples there is no telling which they are.
    const own = difference.kind === 'limit' && !isPaired ? 'refuses' : (difference.effect ?? effects[difference.kind]);
    return { ...difference, effect: own, accepted: own === 'refuses' && accept.includes(difference.kind) };
  });
  const rank = { refuses: 0, warns: 1, notes: 2 } as const;
  return all.sort((one, other) => rank[one.effect] - rank[other.effect]);
}

type Found = Omit<Difference, 'effect' | 'accepted'> & { readonly effect?: Difference['effect'] };

function settingDifferences(base: readonly Setting[], candidate: readonly Setting[]): Found[] {
  const others = new Map(candidate.map((setting) => [keyOf(setting), setting.value]));
  const merged = new Map<string, { kind: SettingKind; name: string; base: string; candidate: string; of: string[] }>();
  for (const setting of base) {
    const other = others.get(keyOf(setting));
    if (other === undefined || isSame(setting.value, other)) continue;
    const { kind, name, value, of } = setting;
    const key = [kind, name, value, other].join('\n');
    const known = merged.get(key) ?? { kind, name, base: value, candidate: other, of: [] };
    if (of !== null && !known.of.includes(of)) known.of.push(of);
    merged.set(key, known);
  }
  return [...merged.values()];
}

const keyOf = ({ kind, name, of }: Setting): string => [kind, name, of ?? ''].join('\n');

/** `10` and `10.0` are the same. */
const isSame = (one: string, other: string): boolean =>
  one === other || (one.trim() !== '' && other.trim() !== '' && Number(one) === Number(other));

function sampleDifferences(samples: readonly PairedSamples[]): Found[] {
  return [
    ...whole(
      'samples',
      samples.filter(({ n, base, candidate }) => n === 0 && base.items + candidate.items > 0),
      'none in common',
    ),
    ...partly(samples.filter(({ n, pairs }) => n > 0 && pairs.onlyBase + pairs.onlyCandidate > 0)),
    ...prompts(samples),
  ];
}

function whole(kind: 'samples', of: readonly PairedSamples[], what: string): Found[] {
  if (of.length === 0) return [];
  const count = (side: 'base' | 'candidate'): string => `${sum(of, (one) => one[side].items)} samples`;
  return [{ kind, name: what, base: count('base'), candidate: count('candidate'), of: of.map(nameOf) }];
}

function partly(of: readonly PairedSamples[]): Found[] {
  if (of.length === 0) return [];
  const n = sum(of, (one) => one.n);
  const count = (side: 'onlyBase' | 'onlyCandidate'): string => `${sum(of, ({ pairs }) => pairs[side])} more`;
  return [
    {
      kind: 'samples',
      name: `${n} in common`,
      base: count('onlyBase'),
      candidate: count('onlyCandidate'),
      of: of.map(nameOf),
      effect: 'warns',
    },
  ];
}

function prompts(samples: readonly PairedSamples[]): Found[] {
  const of = samples.filter(({ pairs }) => (pairs.otherPrompt ?? 0) > 0);
  if (of.length === 0) return [];
  const other = sum(of, ({ pairs }) => pairs.otherPrompt ?? 0);
  const share = `${other} of ${sum(of, ({ n }) => n)} prompts`;
  return [{ kind: 'prompts', name: 'text', base: share, candidate: 'differ', of: of.map(nameOf) }];
}

const nameOf = ({ path }: Pick<PairedSamples, 'path'>): string => path.at(-1) ?? '';

const sum = (of: readonly PairedSamples[], count: (one: PairedSamples) => number): number =>
  of.reduce((total, one) => total + count(one), 0);

/** Returns why no verdict can be given; `null`: one can. */
export function refusalOf(differences: readonly Difference[]): string | null {
  const [first, ...more] = differences.filter(({ effect, accepted }) => effect === 'refuses' && !accepted);
  if (!first) return null;
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  return `not comparable: ${differenceText(first)}${others}; if that is meant: --accept ${[...new Set([first, ...more].map(({ kind }) => kind))].join(',')}`;
}

/** `few-shot examples: 0, 5`, with the tasks that it concerns. */
export function differenceText({ kind, name, base, candidate, of }: Difference): string {
  const shown = of.slice(0, 3).join(', ');
  const where = of.length === 0 ? '' : ` (${of.length > 3 ? `${shown} and ${of.length - 3} more` : shown})`;
  return `${kind} ${name}: ${base} → ${candidate}${where}`;
}

/** Share of samples that may be missing without a doubt about the verdict. */
const mostMissing = 0.01;

/** Returns why too many samples are missing for a verdict, and what else is to be said about missing ones. */
export function missingSamples(
  { base, candidate }: Both<TaskEvidence>,
  samples: readonly PairedSamples[],
): { readonly grave: string | null; readonly notes: readonly string[] } {
  const notes: string[] = [];
  let grave: string | null = null;
  for (const [side, evidence] of [
    ['base', base],
    ['candidate', candidate],
  ] as const) {
    if (evidence.incomplete !== null) {
      const note = `${side}: ${evidence.incomplete}`;
      notes.push(note);
      grave ??= note;
    }
    for (const { [side]: own, path } of samples) {
      const missing = Math.max(own.damaged, (own.expected ?? 0) - own.items);
      if (missing <= 0) continue;
      const total = own.expected ?? own.items + own.damaged;
      const damage = own.firstDamage === null ? '' : ` (${own.damaged} damaged lines; ${own.firstDamage})`;
      const note = `${side}: ${missing} of ${total} samples of ${path.at(-1)} are missing in ${own.file}${damage}`;
      notes.push(note);
      if (missing > mostMissing * total) grave ??= note;
    }
  }
  return { grave, notes };
}

/** Returns the pairing of one task for the document. */
export const sampleComparison = ({ path, n, pairs, base, candidate }: PairedSamples): SampleComparison => ({
  path,
  paired: n,
  ...pairs,
  damaged: { base: base.damaged, candidate: candidate.damaged },
});

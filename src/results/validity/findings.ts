import { metricsOf } from '../../contract/metric';
import type { TaskSnapshot } from '../../contract/state';
import { firstOf } from '../../support/listing';
import type { RequestStats } from '../requests/request-stats';
import { samplesOf } from '../summary/samples';
import type { Evidence } from './evidence';
import type { Finding, FindingKind } from './finding';

/** Judges what a task's job left behind. Pure. */

export interface Judged {
  readonly task: Pick<TaskSnapshot, 'index' | 'name' | 'metrics' | 'metricDetails' | 'partial' | 'endpointAway'>;
  readonly evidence: Evidence;
  /** The image of its job, and the one that the catalogue has for it, if that is another one. */
  readonly images?: { readonly used: string; readonly catalogued: string } | undefined;
}

/** What a rule sees; the task's index and name are added to it. */
type Seen = Omit<Finding, 'index' | 'task'>;
type Rule = (judged: Judged) => readonly Seen[];

/** Returns everything that spoils the scores of a task, or makes them incomparable. */
export const findingsOf = (judged: Judged): readonly Finding[] =>
  rules.flatMap((rule) =>
    rule(judged).map(({ kind, ...seen }) => ({ kind, index: judged.task.index, task: judged.task.name, ...seen })),
  );

const failedRequests: Rule = ({ evidence: { requests } }) => {
  if (!requests) return [];
  const bad = Object.entries(requests.statusCodes).filter(([status]) => !/^2\d\d$/.test(status));
  const failed = Math.max(
    sum(bad.map(([, count]) => count)),
    // A success without a readable body is not counted as successful either.
    requests.count - requests.successful,
  );
  if (failed <= 0) return [];
  const codes = bad.map(([status, count]) => `HTTP ${status}: ${count}`);
  const which = codes.length > 0 ? ` (${firstOf(codes, 5)})` : '';
  return [
    {
      kind: 'failed-requests',
      count: failed,
      of: requests.count,
      message: `${failed} of ${requests.count} requests failed${which}`,
      advice:
        'The harness may have counted their samples as wrong. See the logs of job and endpoint; lower params.parallelism or raise params.request_timeout, and run the task again.',
    },
  ];
};

const truncatedAnswers: Rule = ({ evidence }) => {
  const { requests, asked } = evidence;
  const cut = requests?.finishReasons['length'] ?? 0;
  if (!requests || cut === 0 || !hasGenerated(evidence, requests)) return [];
  const limit = asked.maxTokens === undefined ? '' : ` of ${asked.maxTokens} tokens (params.max_new_tokens)`;
  return [
    {
      kind: 'truncated-answers',
      count: cut,
      of: requests.successful,
      message: `${cut} of ${requests.successful} answers ended at the limit${limit}, maybe before they came to their point`,
      advice:
        'Raise params.max_new_tokens (reasoning counts too), or the context length of the server, and run the task again.',
    },
  ];
};

/** Scoring a continuation asks for one token that nobody needs, and each such answer ends at its limit. */
function hasGenerated({ harness }: Evidence, { completionTokens }: RequestStats): boolean {
  if (completionTokens !== null && completionTokens.max <= 1) return false;
  const types = (harness?.tasks ?? []).flatMap(({ outputType }) => outputType ?? []);
  return types.length === 0 || types.includes('generate_until');
}

const truncatedPrompts: Rule = ({ evidence: { log } }) => {
  const cut = log?.cutPrompts ?? 0;
  if (cut === 0) return [];
  return [
    {
      kind: 'truncated-prompts',
      count: cut,
      of: null,
      message: `the harness warned ${cut} times that a prompt did not fit and was cut at its beginning`,
      advice:
        'Set the context length (params.extra.args: --model_args max_length=…) to that of the server, or use fewer examples (num_fewshot).',
    },
  ];
};

const emptyAnswers: Rule = ({ evidence: { samples } }) =>
  samples.empty === 0
    ? []
    : [
        {
          kind: 'empty-answers',
          count: samples.empty,
          of: samples.answers,
          message: `${samples.empty} of ${samples.answers} answers are empty`,
          advice:
            'Look at resps in samples_*.jsonl. Usual reasons: a wrong chat template, a stop sequence that comes at once, or reasoning that used up all tokens.',
        },
      ];

const cachedAnswers: Rule = ({ evidence: { log, requests } }) => {
  const cached = log?.cached ?? 0;
  if (cached > 0)
    return [
      {
        kind: 'cached-answers',
        count: cached,
        of: cached + (log?.sent ?? 0),
        message: `${cached} of ${cached + (log?.sent ?? 0)} requests were answered from the harness' cache, not by this endpoint`,
        advice:
          'Expected where a job went on with what an earlier one had begun. Otherwise start a new run, which has a folder of its own.',
      },
    ];
  if ((requests?.runs ?? 1) <= 1) return [];
  return [
    {
      kind: 'cached-answers',
      count: null,
      of: requests?.count ?? null,
      message: `the evaluator was started ${requests?.runs} times in this folder: answers of an earlier start were used again`,
      advice:
        'Expected where a job went on with what an earlier one had begun. Otherwise start a new run, which has a folder of its own.',
    },
  ];
};

const missingSamples: Rule = ({ task, evidence }) => {
  const { done, asked } = samplesOf(evidence) ?? {};
  const isShort = typeof done === 'number' && typeof asked === 'number' && done < asked;
  if (!isShort && !task.partial) return [];
  const counted = isShort ? `${done} of ${asked} samples were evaluated` : 'not all samples were evaluated';
  return [
    {
      kind: 'missing-samples',
      count: isShort ? asked - done : null,
      of: asked ?? null,
      message: `${counted}${task.partial ? ': the job was interrupted' : ''}`,
      advice: 'See the log of the job for why the others are missing, and run the task again.',
    },
  ];
};

const notANumber: Rule = ({ task }) => {
  const metrics = metricsOf(task);
  const bad = metrics.filter(({ value }) => typeof value !== 'number');
  if (bad.length === 0) return [];
  const names = bad.map(({ name, value }) => `${name} (${value})`);
  return [
    {
      kind: 'not-a-number',
      count: bad.length,
      of: metrics.length,
      message: `${bad.length} of ${metrics.length} scores are not numbers: ${firstOf(names, 5)}`,
      advice:
        'See the log of the job; usual reasons are a judge that did not answer, and log probabilities that the server did not give.',
    },
  ];
};

const otherModel: Rule = ({ evidence: { models, asked } }) => {
  const others = models.filter((model) => asked.model !== undefined && model !== asked.model);
  if (others.length === 0) return [];
  return [
    {
      kind: 'other-model',
      count: null,
      of: null,
      message: `the server answered as ${firstOf(others, 3)}, and was asked for ${asked.model}`,
      advice: 'Check what the endpoint serves: an alias may point to another model, or another version of it.',
    },
  ];
};

const otherHarness: Rule = ({ images }) =>
  images === undefined
    ? []
    : [
        {
          kind: 'other-harness',
          count: null,
          of: null,
          message: `the harness was ${images.used}; the catalogue has ${images.catalogued}`,
          advice: 'Compare these scores only with those of the same image (container in the config).',
        },
      ];

const fallbacks: Rule = ({ evidence: { log, notes, asked, harness } }) => {
  const otherShots = (harness?.tasks ?? []).filter(
    ({ fewShot }) => asked.fewShot !== undefined && fewShot !== null && fewShot !== asked.fewShot,
  );
  const shots = otherShots.map(({ name, fewShot }) => `${name} ran ${fewShot}-shot`);
  const seen = [
    ...(shots.length === 0 ? [] : [`${firstOf(shots, 5)}, and num_fewshot was ${asked.fewShot}`]),
    ...notes.map((note) => note.replace(/\.$/, '')),
    // What the log says of examples is known better from the results.
    ...(log?.fallbacks ?? []).filter((text) => shots.length === 0 || !text.includes('0-shot')),
  ];
  return seen.map((message) => ({
    kind: 'fallback',
    count: null,
    of: null,
    message,
    advice: 'Compare these scores only with those of runs that did the same.',
  }));
};

const restarts: Rule = ({ task: { endpointAway = 0 } }) =>
  endpointAway === 0
    ? []
    : [
        {
          kind: 'endpoint-restarted',
          count: endpointAway,
          of: null,
          message: `the endpoint was away ${endpointAway === 1 ? 'once' : `${endpointAway} times`} while the job ran`,
          advice:
            'Requests of that time may have failed or waited. See logs/endpoint.log for why it restarted, and run the task again if requests failed.',
        },
      ];

const unchecked: Rule = ({ evidence: { samples } }) =>
  samples.unread.length === 0
    ? []
    : [
        {
          kind: 'unchecked',
          count: samples.unread.length,
          of: null,
          message: `not searched for empty answers and missing samples: ${firstOf(samples.unread, 3)}`,
          advice: 'The files are too large, damaged, or there was no time to read them: look into them yourself.',
        },
      ];

const rules: readonly Rule[] = [
  failedRequests,
  missingSamples,
  notANumber,
  truncatedAnswers,
  emptyAnswers,
  truncatedPrompts,
  cachedAnswers,
  otherModel,
  otherHarness,
  fallbacks,
  restarts,
  unchecked,
];

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Returns the findings by kind, for a line that counts them. Pure. */
export function findingsByKind(findings: readonly Finding[]): ReadonlyMap<FindingKind, readonly Finding[]> {
  const byKind = new Map<FindingKind, Finding[]>();
  for (const finding of findings) byKind.set(finding.kind, [...(byKind.get(finding.kind) ?? []), finding]);
  return byKind;
}

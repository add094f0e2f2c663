import path from 'node:path';
import type { HomePaths } from '../../../home/paths';
import { writePrivateJson } from '../../../support/atomic-file';
import { provisionDatasets } from '../../harness/data';
import { harnessFile, provisionHarness, telemetryOff, type Harness } from '../../harness/provision-harness';
import { provisionTokenizer } from '../../harness/tokenizer';
import { BUILT_IN_MODEL, builtInWeights } from '../../model-server/weights';
import type { Report } from '../../../provision/once';
import type { JobSpecBody, RuntimeHost } from '../../runtime';
import { translatePaths, type PathMapping } from './container-paths';
import type { ServedWeights } from './served-deployment';
import { cleanEnvironment, specEnvironment } from './process-env';
import { freePortForLater } from './ports';
import { mountMappings } from './servers';

/** How to start a job. */
export interface JobPlan {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface PlanJobOptions {
  readonly spec: JobSpecBody;
  readonly host: RuntimeHost;
  readonly home: HomePaths;
  /** The job's own folder. */
  readonly folder: string;
  readonly served: readonly ServedWeights[];
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** Folders of evaluation containers, for commands that use them without a mount. */
const SCRATCH_FOLDERS = { '/workspace': 'work', '/results': 'results' } as const;
const EVALUATION_IMAGE = /\/eval-factory\/([^:@]+)/;
const HARNESS_IMAGE = 'lm-evaluation-harness';
const HARNESS_COMMAND = /nemo-evaluator|eval-factory|lm-eval/;

/** Returns the folders that the job uses, below its own folder. */
export function jobFolders(folder: string): { work: string; results: string; temporary: string } {
  return {
    work: path.join(folder, 'work'),
    results: path.join(folder, 'results'),
    temporary: path.join(folder, 'tmp'),
  };
}

/**
 * Plans how the container's command runs on this machine: with container paths replaced and the harness first on PATH.
 * Fetches what it needs. Rejects with the reason if the job can't run here.
 */
export async function planJob(options: PlanJobOptions): Promise<JobPlan> {
  const { spec, host, folder } = options;
  const mappings = [...(await mountMappings(spec, host)), ...scratchMappings(spec, folder)];
  const own = specEnvironment(spec.envs, { host, mappings });
  const harness = needsHarness(spec)
    ? await harnessEnvironment({ ...options, ownHubCache: 'HF_HOME' in own, mappings })
    : undefined;
  const base = cleanEnvironment(process.env);
  const search = [...(harness?.path ?? []), own['PATH'] ?? base['PATH'] ?? ''].join(path.delimiter);
  const { work, temporary } = jobFolders(folder);
  return {
    command: (spec.container?.command ?? []).map((word) => translatePaths(word, mappings)),
    env: { ...base, TMPDIR: temporary, ...harness?.env, ...own, PATH: search, ...telemetryOff },
    cwd: work,
  };
}

function scratchMappings({ mounts }: JobSpecBody, folder: string): PathMapping[] {
  const mounted = (mounts ?? []).map(({ mount_path: mountPath }) => mountPath.replace(/\/+$/, ''));
  return Object.entries(SCRATCH_FOLDERS)
    .filter(([container]) => !mounted.includes(container))
    .map(([container, name]) => ({ container, host: path.join(folder, name) }));
}

/** Returns why jobs of this image can't run here; `undefined` if they may. Pure. */
export function harnessRefusal(image = ''): string | undefined {
  const harness = EVALUATION_IMAGE.exec(image)?.[1];
  if (harness === undefined || harness === HARNESS_IMAGE) return undefined;
  return (
    `The local platform only has the harness ${HARNESS_IMAGE}, not ${harness} (image ${image}). ` +
    'Choose tasks of that harness, or run these tasks on Lepton (--platform lepton).'
  );
}

/** Returns whether the job runs the harness. Throws for images whose harness is not installed here. Pure. */
function needsHarness({ container, envs }: JobSpecBody): boolean {
  const image = EVALUATION_IMAGE.exec(container?.image ?? '')?.[1];
  const refusal = harnessRefusal(container?.image);
  if (refusal !== undefined) throw new Error(refusal);
  return (
    image !== undefined ||
    (envs ?? []).some(({ name }) => name === 'EVALSAGA_OUTPUT_DIR') ||
    (container?.command ?? []).some((word) => HARNESS_COMMAND.test(word))
  );
}

async function harnessEnvironment(
  options: PlanJobOptions & { ownHubCache: boolean; mappings: readonly PathMapping[] },
): Promise<{ path: string[]; env: Record<string, string> }> {
  const harness = await provisionHarness(options);
  const [offline, tokenizers] = await Promise.all([
    options.ownHubCache ? undefined : provisionDatasets({ ...options, harness }),
    findTokenizers(options, harness),
  ]);
  const settings = path.join(options.folder, 'local-harness.json');
  await writePrivateJson(settings, {
    nemoEvaluator: path.join(harness.bin, 'nemo-evaluator'),
    offlineData: offline ? path.join(offline, 'offline-data.json') : null,
    tokenizers: tokenizers.found,
    withoutTokenizer: tokenizers.missing,
    // Paths in a run config that the command carries as data are replaced when it is read.
    folders: options.mappings,
  });
  return {
    path: [harnessFile('bin'), harness.bin],
    env: {
      EVALSAGA_HARNESS_PYTHON: harness.python,
      EVALSAGA_LOCAL_HARNESS: settings,
      // By default each harness takes the first free port, and two that start at once may share one adapter.
      ADAPTER_PORT: String(await freePortForLater()),
      // The job mostly waits for the endpoint, which needs the cores.
      ...{ OMP_NUM_THREADS: '1', TOKENIZERS_PARALLELISM: 'false', PYTHONUNBUFFERED: '1' },
      ...(offline ? { HF_HOME: offline, HF_HUB_OFFLINE: '1' } : {}),
    },
  };
}

interface TokenizerEntry {
  /** URL of the endpoint; `null` for any endpoint that serves the model. */
  readonly url: string | null;
  readonly model: string;
  readonly folder: string;
}

/** Finds the tokenizers of the models that this job may use, and why some models have none. */
async function findTokenizers(
  options: PlanJobOptions,
  harness: Harness,
): Promise<{ readonly found: TokenizerEntry[]; readonly missing: string[] }> {
  const wanted = tokenizersFor(options);
  const all = [
    ...wanted.served,
    ...(wanted.builtIn ? [{ url: null, model: BUILT_IN_MODEL, weights: await builtInWeights(options) }] : []),
  ];
  const made = await Promise.all(
    all.map(async ({ url, model, weights }) => ({
      url,
      model,
      weights,
      tokenizer: await provisionTokenizer({ ...options, harness, weights }),
    })),
  );
  const missing = made.flatMap(({ weights, tokenizer }) =>
    tokenizer.kind === 'none' ? [`${path.basename(weights)}: ${tokenizer.reason}`] : [],
  );
  for (const reason of new Set(missing)) {
    options.report(
      `no tokenizer can be made from ${reason}. Tasks that score texts by log-probabilities need one: ` +
        "set the task's config.params.extra.tokenizer to its folder.",
    );
  }
  return {
    found: made.flatMap(({ url, model, tokenizer }) =>
      tokenizer.kind === 'folder' ? [{ url, model, folder: tokenizer.folder }] : [],
    ),
    missing: [...new Set(missing)],
  };
}

/** Variable of a job with the URL of its endpoint, set by evalsaga. */
const modelUrlVariable = 'EVALSAGA_MODEL_URL';

/**
 * Returns whose tokenizers a job may need: those of its endpoint, or the built-in model's if the endpoint is not one of
 * ours. A job that doesn't name its endpoint in plain text may use any of them. Chat endpoints take text and need no
 * tokenizer. Pure.
 */
export function tokenizersFor({ spec, served }: Pick<PlanJobOptions, 'spec' | 'served'>): {
  readonly served: readonly ServedWeights[];
  readonly builtIn: boolean;
} {
  const modelUrl = spec.envs?.find(({ name }) => name === modelUrlVariable)?.value;
  if (modelUrl?.replace(/[?#].*$/, '').endsWith('/chat/completions')) return { served: [], builtIn: false };
  const texts = [...(spec.container?.command ?? []), ...(spec.envs ?? []).map(({ value }) => value ?? '')];
  const named = served.filter(({ url }) => texts.some((text) => text.includes(`${url}/`)));
  if (named.length > 0) return { served: named, builtIn: false };
  return { served: modelUrl === undefined ? served : [], builtIn: true };
}

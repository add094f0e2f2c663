import path from 'node:path';
import type { HomePaths } from '../../../home/paths';
import { writePrivateJson } from '../../../support/atomic-file';
import { harnessFile, provisionHarness, quiet, type Harness } from '../../harness/provision-harness';
import { provisionTokenizer } from '../../harness/tokenizer';
import { BUILT_IN_MODEL, builtInWeights } from '../../model-server/weights';
import { provisionDatasets } from '../../provision/local-runtime';
import type { Report } from '../../../provision/once';
import type { JobSpecBody, RuntimeHost } from '../../runtime';
import { translatePaths, type PathMapping } from './container-paths';
import type { ServedWeights } from './served-deployment';
import { cleanEnvironment, specEnvironment } from './process-env';
import { freePort } from './ports';
import { mountMappings } from './servers';

/** A job ready to be started. */
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

/** Folders that evaluation containers have, for commands that name them without a mount. */
const SCRATCH = { '/workspace': 'work', '/results': 'results' } as const;
const EVALUATION_IMAGE = /\/eval-factory\/([^:@]+)/;
const HARNESS_IMAGE = 'lm-evaluation-harness';
const HARNESS_COMMAND = /nemo-evaluator|eval-factory|lm-eval/;

/** Where the job works: absolute paths below its own folder. */
export function jobFolders(folder: string): { work: string; results: string; temporary: string } {
  return {
    work: path.join(folder, 'work'),
    results: path.join(folder, 'results'),
    temporary: path.join(folder, 'tmp'),
  };
}

/**
 * The container's command as it runs on this machine: container paths rewritten, the harness first on PATH. Fetches what
 * it needs. Rejects with the reason when the job can't run here.
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
    env: { ...base, TMPDIR: temporary, ...harness?.env, ...own, PATH: search, ...quiet },
    cwd: work,
  };
}

function scratchMappings({ mounts }: JobSpecBody, folder: string): PathMapping[] {
  const mounted = (mounts ?? []).map(({ mount_path: mountPath }) => mountPath.replace(/\/+$/, ''));
  return Object.entries(SCRATCH)
    .filter(([container]) => !mounted.includes(container))
    .map(([container, name]) => ({ container, host: path.join(folder, name) }));
}

/** Why no job of this image can run here; `undefined`: one may. Pure. */
export function harnessRefusal(image = ''): string | undefined {
  const harness = EVALUATION_IMAGE.exec(image)?.[1];
  if (harness === undefined || harness === HARNESS_IMAGE) return undefined;
  return (
    `The local platform has the harness ${HARNESS_IMAGE} only, not ${harness} (image ${image}). ` +
    'Choose tasks of that harness, or run these on Lepton (--platform lepton).'
  );
}

/** Pure, but for refusing images whose harness is not installed here. */
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
    // A run config may come as data, in which the command's words can't be rewritten.
    folders: options.mappings,
  });
  return {
    path: [harnessFile('bin'), harness.bin],
    env: {
      EVALSAGA_HARNESS_PYTHON: harness.python,
      EVALSAGA_LOCAL_HARNESS: settings,
      // Without one of its own each harness looks for the first free port, and two at once may end up behind one adapter.
      ADAPTER_PORT: String(await freePort()),
      // The job's own work is to wait for the endpoint, which needs the cores.
      ...{ OMP_NUM_THREADS: '1', TOKENIZERS_PARALLELISM: 'false', PYTHONUNBUFFERED: '1' },
      ...(offline ? { HF_HOME: offline, HF_HUB_OFFLINE: '1' } : {}),
    },
  };
}

interface TokenizerEntry {
  /** Of the endpoint; `null`: wherever the model is served. */
  readonly url: string | null;
  readonly model: string;
  readonly folder: string;
}

/** Tokenizer folders of what this job may ask, and why some of it has none. */
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
      `no tokenizer can be made of ${reason}. Tasks that score texts by log-probabilities need one: ` +
        "give its folder in the task's config.params.extra.tokenizer.",
    );
  }
  return {
    found: made.flatMap(({ url, model, tokenizer }) =>
      tokenizer.kind === 'folder' ? [{ url, model, folder: tokenizer.folder }] : [],
    ),
    missing: [...new Set(missing)],
  };
}

/** Variable of a job with the URL that it asks, as the product sets it. */
const modelUrlVariable = 'EVALSAGA_MODEL_URL';

/**
 * Whose tokenizers a job may need: those of the endpoint that it asks. A job that asks an endpoint of somebody else's may still find the
 * built-in model there. Where it does not say in the clear what it asks, it may be any. Chat endpoints take text, so that none is
 * needed. Pure.
 */
export function tokenizersFor({ spec, served }: Pick<PlanJobOptions, 'spec' | 'served'>): {
  readonly served: readonly ServedWeights[];
  readonly builtIn: boolean;
} {
  const asked = spec.envs?.find(({ name }) => name === modelUrlVariable)?.value;
  if (asked?.replace(/[?#].*$/, '').endsWith('/chat/completions')) return { served: [], builtIn: false };
  const texts = [...(spec.container?.command ?? []), ...(spec.envs ?? []).map(({ value }) => value ?? '')];
  const named = served.filter(({ url }) => texts.some((text) => text.includes(`${url}/`)));
  if (named.length > 0) return { served: named, builtIn: false };
  return { served: asked === undefined ? served : [], builtIn: true };
}

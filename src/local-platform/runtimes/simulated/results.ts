import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import type { RuntimeHost, RuntimeJob, SpecMount } from '../../runtime';
import { packingIn, packResults } from './archive';

/** Variable of a job with the container path of its results folder. */
const outputVariable = 'EVALSAGA_OUTPUT_DIR';
/** Variable of jobs that only carry or remove files, and are no evaluations. */
const fileJobVariable = 'EVALSAGA_COLLECTOR';
const sampleCount = 10;
/** Files that a job leaves when it was told to stop: its script then packs nothing. */
const interruptedMarkers = ['.evalsaga_interrupted', '.nemo_evaluator_interrupted'];

/** Returns where in storage a job's results belong; `undefined` if the job has no mount, or is no evaluation. Pure. */
export function resultsMount(job: RuntimeJob): Pick<SpecMount, 'from' | 'path'> | undefined {
  if (job.spec.envs?.some(({ name }) => name === fileJobVariable)) return undefined;
  const mounts = job.spec.mounts ?? [];
  const output = job.spec.envs?.find((env) => env.name === outputVariable)?.value;
  const mount = mounts
    .filter((candidate) => output !== undefined && isBelow(output, candidate.mount_path))
    .sort((a, b) => b.mount_path.length - a.mount_path.length)[0];
  if (output === undefined || mount === undefined) return mounts[0];
  const below = path.posix.relative(path.posix.normalize(mount.mount_path), path.posix.normalize(output));
  return { from: mount.from, path: path.posix.join(mount.path ?? '', below) };
}

const isBelow = (inner: string, outer: string): boolean => {
  const relative = path.posix.relative(path.posix.normalize(outer), path.posix.normalize(inner));
  return relative === '' || !relative.startsWith('..');
};

/**
 * Writes the output files of a harness: `results.yml`, `eval_factory_metrics.json`, `run_config.yml`; and the archive of them, if the
 * job's script makes one.
 */
export async function writeResults(
  job: RuntimeJob,
  host: Pick<RuntimeHost, 'mountFolder'>,
  details: {
    metrics: Readonly<Record<string, number>> | undefined;
    /** Additional files, or replacements of these: text by path below the folder. */
    files: Readonly<Record<string, string>>;
    startedAt: number;
    endedAt: number;
  },
): Promise<void> {
  const mount = resultsMount(job);
  if (mount === undefined) return;
  const folder = await host.mountFolder(mount);
  await mkdir(folder, { recursive: true });
  // As a job's script does when it begins.
  await rm(path.join(folder, '.evalsaga_interrupted'), { force: true });
  const run = runOf(job);
  const config = { output_dir: folder, type: run.task, params: { limit_samples: sampleCount, parallelism: 1 } };
  const target = { api_endpoint: { model_id: run.model, url: run.url, type: 'completions' } };
  const { 'results.yml': scores, ...others } = details.files;
  const files: Record<string, string> = {
    'run_config.yml': toYaml({ config, target, framework_name: 'simulated' }),
    'eval_factory_metrics.json': `${JSON.stringify(harnessMetrics(details), null, 2)}\n`,
    ...others,
    // Last, because readers take it for the sign that the results are complete.
    'results.yml':
      scores ??
      toYaml({
        git_hash: '',
        command: `simulated --tasks ${run.task}`,
        config,
        target,
        results: resultsOf(run.task, details.metrics ?? { acc: scoreOf(job.name, 1), acc_norm: scoreOf(job.name, 2) }),
        metadata: { versioning: { simulated: '1' } },
      }),
  };
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, path.posix.join('/', name));
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  const packing = packingIn(scriptOf(job));
  if (packing !== undefined && !interruptedMarkers.some((marker) => marker in files))
    await packResults(folder, packing).catch(() => undefined);
}

function runOf(job: RuntimeJob): { task: string; model: string; url: string } {
  const value = (name: string): string | undefined => job.spec.envs?.find((env) => env.name === name)?.value;
  const command = commandOf(job);
  const fromCommand = /--eval_type[ =]+['"]?([\w.-]+)/.exec(command)?.[1];
  // Job names may be `eval-<part of the invocation>-<task>-<index>` or `eval-<task>-<index>-<part>`, with `-` for `_`.
  const [, former, today] = /^eval-(?:[0-9a-f]+-(.+?)-\d+|(.+)-\d+-[0-9a-f]{8})$/.exec(job.name) ?? [];
  return {
    task: fromCommand ?? typeIn(scriptOf(job)) ?? (today ?? former)?.replaceAll('-', '_') ?? job.name,
    model: value('SERVED_MODEL_NAME') ?? 'simulated',
    url: value('EVALSAGA_MODEL_URL') ?? '',
  };
}

const commandOf = (job: RuntimeJob): string => (job.spec.container?.command ?? []).join(' ');

/** The script that the job's command unpacks as a container would. */
function scriptOf(job: RuntimeJob): string {
  const pieces = /printf %s '([A-Za-z0-9+/=]+)' \| base64 -d \| gzip -dc|printf %b '([^']*)'/g;
  return [...commandOf(job).matchAll(pieces)]
    .map(([, packed, escaped = '']) => (packed === undefined ? unescaped(escaped) : unpacked(packed)))
    .join('');
}

/** The task's type in the run config of a script. */
const typeIn = (script: string): string | undefined =>
  /^config:\n(?:[ ]+.*\n)*?[ ]+type: ["']?([\w.-]+)/m.exec(script)?.[1];

function unpacked(text: string): string {
  try {
    return gunzipSync(Buffer.from(text, 'base64')).toString('utf8');
  } catch {
    return '';
  }
}

/** As `printf %b` writes it. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\(?:0([0-7]{1,3})|(\\))/g, (_whole, octal?: string) =>
    octal === undefined ? '\\' : String.fromCharCode(parseInt(octal, 8)),
  );

/** Returns `results`: tasks and groups, each `{metrics: {name: {scores: {name: {value, stats}}}}}`. */
function resultsOf(task: string, metrics: Readonly<Record<string, number>>): Record<string, unknown> {
  const scored = Object.entries(metrics).map(([name, value]) => {
    const stats = { count: sampleCount, stderr: Math.sqrt(Math.max(0, value * (1 - value)) / (sampleCount - 1)) };
    return [name, { scores: { [name]: { value, stats } } }];
  });
  const body = { metrics: Object.fromEntries(scored) as Record<string, unknown> };
  return { tasks: { [task]: body }, groups: { [task]: body } };
}

function harnessMetrics({ startedAt, endedAt }: { startedAt: number; endedAt: number }): Record<string, unknown> {
  return {
    evaluation: {
      runtime_seconds: (endedAt - startedAt) / 1000,
      start_time: new Date(startedAt).toISOString(),
      end_time: new Date(endedAt).toISOString(),
      peak_memory_bytes: 0,
      peak_tree_memory_bytes: 0,
      total_runs: 1,
    },
    response_stats: {
      count: sampleCount,
      successful_count: sampleCount,
      avg_latency_ms: 1,
      status_codes: { 200: sampleCount },
    },
  };
}

/** Returns a score from 0 to 1 in hundredths, always the same for the same name (an FNV-1a hash). */
export function scoreOf(name: string, salt: number): number {
  let hash = 0x811c9dc5 ^ salt;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return (hash % 101) / 100;
}

/** YAML without aliases, which some readers of these files don't support. */
const toYaml = (value: unknown): string => stringify(value, { aliasDuplicateObjects: false });

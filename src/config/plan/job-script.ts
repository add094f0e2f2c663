/** The script of an evaluation job: what runs in the container, and unchanged in the local process runtime. Pure. */
import { gzipSync } from 'node:zlib';
import { outputDirVariable, modelUrlVariable } from '../../contract/identity';
import { shellQuote } from './shell-words';

export interface JobScript {
  /** `harness.task`. */
  readonly task: string;
  /** The evaluator's run config, YAML. */
  readonly runConfig: string;
  readonly preCmd: string | null;
  readonly postCmd: string | null;
  /** Bound on the evaluation itself. */
  readonly timeoutSeconds: number;
  /** The full request URL when the run's own (`EVALSAGA_MODEL_URL`) is not the one to use. */
  readonly modelUrl: string | null;
  /** Whether the run config names a URL of its own, which then wins. */
  readonly ownUrl: boolean;
  /** Variables taken from others of the container. */
  readonly runtimeVariables: readonly { readonly name: string; readonly from: string }[];
}

/** Linux takes at most 128 KiB in one argument; the loader around the script needs a little. */
export const maxCommandBytes = 120 * 1024;

/** The container's command: a short loader that unpacks the script, which travels as data. */
export function jobCommand(script: JobScript): readonly [string, string, string] {
  const packed = gzipSync(Buffer.from(jobScript(script), 'utf8'), { level: 9 }).toString('base64');
  const loader = [
    'set -eu',
    'script="$(mktemp)"',
    `printf %s '${packed}' | base64 -d | gzip -dc > "$script"`,
    'exec /bin/bash "$script"',
  ].join('; ');
  return ['/bin/bash', '-c', loader];
}

/** The script in clear. */
export function jobScript(script: JobScript): string {
  const { preCmd, postCmd, runConfig } = script;
  return [
    `# evalsaga: evaluation of ${script.task.replaceAll(/[^\w.@/-]/g, '_')}`,
    'rm -f "$0"',
    'set -u',
    `out="\${${outputDirVariable}:?}"`,
    'work="$(mktemp -d)"',
    'child=""; interrupted=""',
    'mkdir -p "$out" || exit 73',
    'rm -f "$out/.evalsaga_interrupted" "$out/.nemo_evaluator_interrupted"',
    ...script.runtimeVariables.map(({ name, from }) => `export ${name}="\${${from}-}"`),
    ...heredoc('run_config.yml', runConfig),
    ...(preCmd === null ? [] : heredoc('pre_cmd.sh', preCmd)),
    ...(postCmd === null ? [] : heredoc('post_cmd.sh', postCmd)),
    ...body(script),
    '',
  ].join('\n');
}

function body({ preCmd, postCmd, timeoutSeconds, modelUrl, ownUrl }: JobScript): string[] {
  const url = modelUrl === null ? `"\${${modelUrlVariable}:?}"` : shellQuote(modelUrl);
  return [
    'finish() {',
    ...(postCmd === null ? [] : ['  . "$work/post_cmd.sh" || echo "post_cmd ended with code $?" >&2']),
    '  rm -rf "$work"',
    '}',
    // The evaluator saves what it has on SIGTERM; the marker tells those results from finished ones.
    'stop() {',
    '  interrupted=yes; : > "$out/.evalsaga_interrupted"',
    '  if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null; fi',
    '}',
    'trap finish EXIT',
    'trap stop TERM INT',
    'if command -v nemo-evaluator >/dev/null 2>&1; then evaluator=nemo-evaluator',
    'elif command -v eval-factory >/dev/null 2>&1; then evaluator=eval-factory',
    'else echo "neither nemo-evaluator nor eval-factory is in this image" >&2; exit 127; fi',
    `bound="timeout -k 60 ${timeoutSeconds}"`,
    'timeout -k 1 5 true >/dev/null 2>&1 || bound=""',
    ...(preCmd === null
      ? []
      : ['. "$work/pre_cmd.sh" || { code=$?; echo "pre_cmd ended with code $code" >&2; exit "$code"; }']),
    '[ -z "$interrupted" ] || exit 143',
    `set -- run_eval --run_config "$work/run_config.yml" --output_dir "$out"${ownUrl ? '' : ` --model_url ${url}`}`,
    '$bound "$evaluator" "$@" &',
    'child=$!',
    '[ -z "$interrupted" ] || kill -TERM "$child" 2>/dev/null',
    'wait "$child"; code=$?',
    // A trapped signal ends `wait` early: wait for the evaluator itself.
    'while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done',
    `if [ -n "$bound" ] && [ "$code" -eq 124 ]; then echo "the evaluation reached its limit of ${timeoutSeconds} s (execution.evaluation_tasks.timeout)" >&2; fi`,
    'if [ "$code" -eq 0 ] && [ -e "$out/.nemo_evaluator_interrupted" ]; then code=143; fi',
    'if [ -n "$interrupted" ]; then code=143; fi',
    'exit "$code"',
  ];
}

/** A file's content as data: the shell reads nothing in it. */
function heredoc(name: string, content: string): string[] {
  let mark = 'EVALSAGA_END';
  while (content.includes(mark)) mark += '_';
  return [`cat > "$work/${name}" <<'${mark}'`, content.replace(/\n$/, ''), mark];
}

/** The script of an evaluation job: what runs in the container, and unchanged in the local process runtime. Pure. */
import { gzipSync } from 'node:zlib';
import { outputDirVariable, modelUrlVariable } from '../../contract/identity';
import { splitAtPlaceholders, variablesIn } from '../../contract/url-placeholders';
import { shortestMasked } from '../../secrets/limits';
import { shellQuote } from '../../support/shell';

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
  /** Whether the run config names the URL, which then wins. */
  readonly ownUrl: boolean;
  /** Variables taken from others of the container. */
  readonly runtimeVariables: readonly { readonly name: string; readonly from: string }[];
}

/** In the job's own work folder. */
export const runConfigFile = 'run_config.yml';

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
    ...writeFileLines(runConfigFile, runConfig),
    ...(preCmd === null ? [] : writeFileLines('pre_cmd.sh', preCmd)),
    ...(postCmd === null ? [] : writeFileLines('post_cmd.sh', postCmd)),
    ...bodyLines(script),
    '',
  ].join('\n');
}

/** Variables with secret parts of URLs that the job's files have placeholders for. */
export const urlSecretsOf = ({ runConfig, preCmd, postCmd }: JobScript): readonly string[] =>
  variablesIn([runConfig, preCmd ?? '', postCmd ?? ''].join('\n'));

function bodyLines(script: JobScript): string[] {
  const { preCmd, postCmd, timeoutSeconds, modelUrl, ownUrl } = script;
  const url = modelUrl === null ? `"\${${modelUrlVariable}:?}"` : shellQuote(modelUrl);
  return [
    'finish() {',
    ...(postCmd === null ? [] : ['  . "$work/post_cmd.sh" || echo "post_cmd ended with code $?" >&2']),
    ...maskingLines(urlSecretsOf(script)),
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
    `set -- run_eval --run_config "$work/${runConfigFile}" --output_dir "$out"${ownUrl ? '' : ` --model_url ${url}`}`,
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

/** A file's content as data: the shell reads nothing in it. Placeholders are filled in from the container's variables. */
function writeFileLines(name: string, content: string): string[] {
  if (variablesIn(content).length > 0) return writeWithVariables(name, content);
  let mark = 'EVALSAGA_END';
  while (content.includes(mark)) mark += '_';
  return [`cat > "$work/${name}" <<'${mark}'`, content.replace(/\n$/, ''), mark];
}

function writeWithVariables(name: string, content: string): string[] {
  const texts = splitAtPlaceholders(content);
  const lines = texts.map((text) => {
    const [variable] = variablesIn(text);
    return variable === undefined ? `printf %s ${shellQuote(text)}` : `printf %s "\${${variable}:?}"`;
  });
  return ['{', ...lines, `} > "$work/${name}"`];
}

/** What the evaluator wrote names the URL it asked: the secret parts are taken out before anybody reads it. */
function maskingLines(variables: readonly string[]): string[] {
  if (variables.length === 0) return [];
  return [
    `  python3 - "$out" ${variables.join(' ')} <<'EVALSAGA_HIDE' || echo "the secret parts of URLs could not be taken out of the results" >&2`,
    maskScript.trim(),
    'EVALSAGA_HIDE',
  ];
}

/** A file keeps its size where it is not text. A short user and password is only looked for in its URL. */
const maskScript = `
import base64, os, sys, urllib.parse
forms = {}
for name in sys.argv[2:]:
    value = os.environ[name]
    plain = urllib.parse.unquote(value)
    for text in (value, plain):
        forms["//" + text + "@"] = "//***@"
        if len(text) >= ${shortestMasked}:
            for form in (text, urllib.parse.quote(text, safe=""), base64.b64encode(text.encode()).decode().rstrip("=")):
                forms[form] = "***"
    password = plain.partition(":")[2]
    if len(password) >= ${shortestMasked}:
        forms[password] = "***"
forms = [(form.encode(), mask.encode()) for form, mask in sorted(forms.items(), key=lambda pair: -len(pair[0]))]
for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        path = os.path.join(folder, name)
        if os.path.islink(path) or os.path.getsize(path) > 1 << 28:
            continue
        with open(path, "rb") as file:
            before = after = file.read()
        binary = b"\\0" in before[:8192]
        for form, mask in forms:
            after = after.replace(form, b"*" * len(form) if binary else mask)
        if after != before:
            with open(path, "r+b") as file:
                file.write(after)
                file.truncate()
`;

/** The script of an evaluation job. It runs in the job's container, and unchanged in the local process runtime. Pure. */
import { gzipSync } from 'node:zlib';
import { outputDirVariable, modelUrlVariable } from '../../contract/identity';
import { toldToStop } from '../../contract/job-attempts';
import { remembering } from '../../support/remembering';
import { sharedUrlsIn, splitAtSharedUrls } from '../../contract/shared-urls';
import { splitAtPlaceholders, variablesIn } from '../../contract/url-placeholders';
import { shortestMasked } from '../../secrets/limits';
import { shellQuote } from '../../support/shell';
import { archiveLines, staleArchiveLines } from './archive-script';
import type { PackedResults } from './archive-script';
import { afterLines, endLines, guardLines, waitLines, waitProgram, waitProgramFile } from './wait-script';
import type { EndpointWait } from './wait-script';
import { hookFileLines, hookLine } from './harness-hooks';
import { markLines, missedLines, tellEndLines, tellLines, unlessAgain } from './last-request-script';

export interface JobScript {
  /** `harness.task`. */
  readonly task: string;
  /** The evaluator's run config, as YAML. */
  readonly runConfig: string;
  readonly preCmd: string | null;
  readonly postCmd: string | null;
  /** Time limit of the evaluation. */
  readonly timeoutSeconds: number;
  /** The request URL, if it is not the one in `EVALSAGA_MODEL_URL`. */
  readonly modelUrl: string | null;
  /** Whether the run config contains the URL, which then wins. */
  readonly ownUrl: boolean;
  /** The job starts before its endpoint is Ready; absent: after. */
  readonly wait?: EndpointWait;
  /** A job that succeeds packs its results into one archive; absent: it does not. */
  readonly packs?: PackedResults;
  /** Its log tells when the last request is answered; absent: it doesn't. */
  readonly tellsLastRequest?: boolean;
  /** Variables that copy other variables of the container. */
  readonly runtimeVariables: readonly { readonly name: string; readonly from: string }[];
}

/** File name in the job's work folder. */
export const runConfigFile = 'run_config.yml';

/** Linux limits an argument to 128 KiB; the loader around the script needs some of it. */
export const maxCommandBytes = 120 * 1024;

/** A larger run config is compressed, too. */
const maxPlainBytes = 8 * 1024;

/**
 * Returns the container's command: a short loader that unpacks the compressed script. What differs between tasks stands by itself and is
 * not compressed, so that a plan of many tasks holds the rest only once (contract/packed.ts).
 */
export function jobCommand(script: JobScript): readonly [string, string, string] {
  const [head, own, tail] = scriptParts(script);
  const isLarge = Buffer.byteLength(own) > maxPlainBytes;
  const loader = [
    'set -eu',
    'script="$(mktemp)"',
    `{ ${compressed(head)}; ${isLarge ? compressed(own) : escaped(own)}; ${compressed(tail)}; } > "$script"`,
    'exec /bin/bash "$script"',
  ].join('; ');
  return ['/bin/bash', '-c', loader];
}

/** How tqdm writes progress bars into the log: at most every five seconds, so that they stay few among the lines of requests. */
const barSettings = [
  ['TQDM_NCOLS', '100'],
  ['TQDM_NROWS', '24'],
  ['TQDM_MININTERVAL', '5'],
] as const;

const compressed = remembering(
  (text: string): string =>
    `printf %s '${gzipSync(Buffer.from(text, 'utf8'), { level: 9 }).toString('base64')}' | base64 -d | gzip -dc`,
);

/** Without `$`, in which Kubernetes would look for variables of its own. */
const escaped = (text: string): string =>
  `printf %b '${text.replaceAll('\\', '\\\\').replaceAll('$', '\\0044').replaceAll("'", '\\0047')}'`;

/** Returns the script in three parts, of which the second holds all that only this task has, but for its own pre_cmd and post_cmd. */
function scriptParts(script: JobScript): readonly [string, string, string] {
  const { preCmd, postCmd, runConfig } = script;
  const head = [
    'rm -f "$0"',
    'set -u',
    `out="\${${outputDirVariable}:?}"`,
    'work="$(mktemp -d)"',
    'child=""; interrupted=""',
    'mkdir -p "$out" || exit 73',
    'rm -f "$out/.evalsaga_interrupted" "$out/.nemo_evaluator_interrupted"',
    ...(script.packs === undefined ? [] : staleArchiveLines()),
    // The evaluator runs harnesses in a terminal without a size, in which tqdm shows no progress bars: the log would not say how far it is.
    ...barSettings.map(([name, value]) => `export ${name}="\${${name}:-${value}}"`),
    ...script.runtimeVariables.map(({ name, from }) => `export ${name}="\${${from}-}"`),
  ];
  const own = [
    `# evalsaga: evaluation of ${script.task.replaceAll(/[^\w.@/-]/g, '_')}`,
    ...writeFileLines(runConfigFile, runConfig),
  ];
  const tail = [
    ...(preCmd === null ? [] : writeFileLines('pre_cmd.sh', preCmd)),
    ...(postCmd === null ? [] : writeFileLines('post_cmd.sh', postCmd)),
    ...programLines(script),
    ...bodyLines(script),
  ];
  return [textOf(head), textOf(own), textOf(tail)];
}

const programLines = (script: JobScript): string[] => [
  ...(script.wait === undefined ? [] : writeFileLines(waitProgramFile, waitProgram.trim())),
  ...(isHooked(script) ? hookFileLines(hooksOf(script), writeFileLines) : []),
];

const hooksOf = ({ wait, tellsLastRequest = false }: JobScript) => ({
  holdsRequests: wait?.holdsRequests === true,
  tellsLastRequest,
});

const isHooked = (script: JobScript): boolean => Object.values(hooksOf(script)).includes(true);

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** Returns the variables with secret parts of URLs for which the job's files have placeholders. */
export const urlSecretsOf = ({ runConfig, preCmd, postCmd }: JobScript): readonly string[] =>
  variablesIn([runConfig, preCmd ?? '', postCmd ?? ''].join('\n'));

function bodyLines(script: JobScript): string[] {
  const { preCmd, postCmd, timeoutSeconds, modelUrl, ownUrl, wait, packs, tellsLastRequest: tells = false } = script;
  const mayBeAgain = (lines: readonly string[]): readonly string[] => (tells ? unlessAgain(lines) : lines);
  // The run counts the limit from Ready on; this one only ends a job that the run has lost.
  const boundSeconds = timeoutSeconds + (wait?.holdsRequests === true ? wait.seconds : 0);
  const url = modelUrl === null ? `"\${${modelUrlVariable}:?}"` : shellQuote(modelUrl);
  return [
    ...(tells ? markLines : []),
    'finish() {',
    ...(packs === undefined ? [] : ['  ended=$?']),
    ...(postCmd === null ? [] : ['  . "$work/post_cmd.sh" || echo "post_cmd ended with code $?" >&2']),
    ...maskingLines(urlSecretsOf(script)),
    ...tokenLines,
    ...(wait === undefined ? [] : endLines(wait)),
    ...(tells ? tellEndLines : []),
    ...(packs === undefined ? [] : archiveLines(packs)),
    '  rm -rf "$work"',
    '}',
    // On SIGTERM the evaluator saves what it has; the marker file says that these results are not final.
    'stop() {',
    '  interrupted=yes; : > "$out/.evalsaga_interrupted"',
    `  echo '${toldToStop}' >&2`,
    '  if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null; fi',
    '}',
    'trap finish EXIT',
    'trap stop TERM INT',
    'if command -v nemo-evaluator >/dev/null 2>&1; then evaluator=nemo-evaluator',
    'elif command -v eval-factory >/dev/null 2>&1; then evaluator=eval-factory',
    'else echo "neither nemo-evaluator nor eval-factory is in this image" >&2; exit 127; fi',
    `bound="timeout -k 60 ${boundSeconds}"`,
    'timeout -k 1 5 true >/dev/null 2>&1 || bound=""',
    ...(preCmd === null
      ? []
      : ['. "$work/pre_cmd.sh" || { code=$?; echo "pre_cmd ended with code $code" >&2; exit "$code"; }']),
    '[ -z "$interrupted" ] || exit 143',
    ...(wait === undefined ? [] : mayBeAgain(waitLines(wait))),
    ...(isHooked(script) ? [hookLine] : []),
    `set -- run_eval --run_config "$work/${runConfigFile}" --output_dir "$out"${ownUrl ? '' : ` --model_url ${url}`}`,
    // One stream: progress bars end no line, and a log takes them only with the next line of the same stream.
    '$bound "$evaluator" "$@" 2>&1 &',
    'child=$!',
    '[ -z "$interrupted" ] || kill -TERM "$child" 2>/dev/null',
    ...(wait === undefined ? [] : mayBeAgain(guardLines(wait))),
    ...(tells ? tellLines : []),
    'wait "$child"; code=$?',
    // A trapped signal interrupts `wait`: wait until the evaluator itself has ended.
    'while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done',
    `if [ -n "$bound" ] && [ "$code" -eq 124 ]; then echo "the evaluation reached its limit of ${boundSeconds} s (execution.evaluation_tasks.timeout)" >&2; fi`,
    'if [ "$code" -eq 0 ] && [ -e "$out/.nemo_evaluator_interrupted" ]; then code=143; fi',
    'if [ -n "$interrupted" ]; then code=143; fi',
    ...(wait === undefined ? [] : afterLines(wait)),
    ...(tells ? missedLines : []),
    'exit "$code"',
  ];
}

/** Returns lines that write a file without the shell expanding anything in it. Placeholders are filled in from variables. */
function writeFileLines(name: string, content: string): string[] {
  if (variablesIn(content).length > 0 || sharedUrlsIn(content).length > 0) return writeWithVariables(name, content);
  let mark = 'EVALSAGA_END';
  while (content.includes(mark)) mark += '_';
  return [`cat > "$work/${name}" <<'${mark}'`, content.replace(/\n$/, ''), mark];
}

function writeWithVariables(name: string, content: string): string[] {
  const texts = splitAtPlaceholders(content).flatMap(splitAtSharedUrls);
  const lines = texts.map((text) => {
    const [variable] = [...variablesIn(text), ...sharedUrlsIn(text)];
    return variable === undefined ? `printf %s ${shellQuote(text)}` : `printf %s "\${${variable}:?}"`;
  });
  return ['{', ...lines, `} > "$work/${name}"`];
}

/** Returns lines that mask the secret parts of URLs in the results: the evaluator writes the URL that it called. */
function maskingLines(variables: readonly string[]): string[] {
  if (variables.length === 0) return [];
  return [
    `  python3 - "$out" ${variables.join(' ')} <<'EVALSAGA_HIDE' || echo "the secret parts of URLs could not be taken out of the results" >&2`,
    maskScript.trim(),
    'EVALSAGA_HIDE',
  ];
}

/**
 * Counts the tokens of each request, which the evaluator keeps in a cache that is too large to be fetched, and of which it reports
 * only the mean and the maximum.
 */
const tokensScript = `
import collections, json, os, sqlite3, sys
database = os.path.join(sys.argv[1], "response_stats_cache", "cache.db")
if os.path.exists(database):
    counts = {"prompt_tokens": collections.Counter(), "completion_tokens": collections.Counter()}
    connection = sqlite3.connect(database, timeout=5)
    for (text,) in connection.execute("SELECT value FROM Cache WHERE typeof(value) = 'text'"):
        stats = json.loads(text)
        if isinstance(stats, dict) and stats.get("status_code") == 200:
            for name in counts:
                if type(stats.get(name)) is int:
                    counts[name][stats[name]] += 1
    file = os.path.join(sys.argv[1], "evalsaga_tokens.json")
    with open(file + ".part", "w") as part:
        json.dump({"version": 1, **counts}, part)
    os.replace(file + ".part", file)
`;

const tokenLines = [
  `  python3 - "$out" 2>/dev/null <<'EVALSAGA_TOKENS' || true`,
  tokensScript.trim(),
  'EVALSAGA_TOKENS',
] as const;

/** Binary files keep their size. A short user and password is masked only within a URL. */
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

/** Parts of the script of a job that starts before its endpoint is Ready (`execution.start_jobs_early`). Pure. */
import { modelUrlVariable } from '../../contract/identity';
import { shellQuote } from '../../support/shell';

/** What the job waits for before it sends its first request. */
export interface EndpointWait {
  /** What is appended to the endpoint's URL for requests. */
  readonly endpointPath: string;
  readonly healthPath: string | null;
  readonly servedModel: string;
  /** Variable of the job with the endpoint's key; `null`: it needs none. */
  readonly keyVariable: string | null;
  /** The job gives up after this time. The run itself ends the job when the endpoint fails, or isn't Ready in time. */
  readonly seconds: number;
  /**
   * Start the harness at once and hold back its first request, instead of starting it when the endpoint is Ready. Only for
   * harnesses that are known to send requests through the libraries that `holdProgram` knows.
   */
  readonly holdsRequests: boolean;
}

/** Files in the job's work folder: the program that waits, and what it leaves once the endpoint is Ready. */
export const waitProgramFile = 'wait.py';
export const openFile = 'endpoint_ready';

/** Exit code of a job whose endpoint was not Ready in time: `EX_TEMPFAIL`. */
const notReadyCode = 75;

/** Returns the lines before the harness is started. */
export function waitLines(wait: EndpointWait): string[] {
  const words = [
    wait.endpointPath,
    wait.healthPath ?? '',
    wait.servedModel,
    wait.keyVariable ?? '',
    String(wait.seconds),
  ];
  const program = `python3 "$work/${waitProgramFile}" "\${${modelUrlVariable}:?}" ${words.map(shellQuote).join(' ')} "$work/${openFile}"`;
  if (!wait.holdsRequests)
    return [
      `${program} &`,
      'child=$!',
      '[ -z "$interrupted" ] || kill -TERM "$child" 2>/dev/null',
      'wait "$child"; code=$?',
      'while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done',
      'child=""',
      '[ -z "$interrupted" ] || exit 143',
      `[ "$code" -eq 0 ] || exit ${notReadyCode}`,
    ];
  return [`${program} &`, 'waiter=$!'];
}

/** Returns the lines after the harness was started in the background as `$child`. */
export function guardLines(wait: EndpointWait): string[] {
  if (!wait.holdsRequests) return [];
  // The harness would wait for ever for an endpoint that nobody waits for any more.
  return [
    `( while kill -0 "$waiter" 2>/dev/null; do sleep 1; done; [ -e "$work/${openFile}" ] || kill -TERM "$child" 2>/dev/null ) & guard=$!`,
  ];
}

/** Returns the lines after the harness has ended with `$code`. */
export const afterLines = (wait: EndpointWait): string[] =>
  wait.holdsRequests
    ? [`if [ -z "$interrupted" ] && [ "$code" -ne 0 ] && [ ! -e "$work/${openFile}" ]; then code=${notReadyCode}; fi`]
    : [];

/** Returns the lines that end the helpers. */
export const endLines = (wait: EndpointWait): string[] =>
  wait.holdsRequests ? ['  for helper in ${waiter:-} ${guard:-}; do kill "$helper" 2>/dev/null; done'] : [];

/** Ready means what it means to the run: the health path answers, and the list of models has the served one. */
export const waitProgram = `
import json, os, sys, time, urllib.error, urllib.request
url, path, health, model, key, seconds, opened = sys.argv[1:]
base = url[: -len(path)] if path and url.endswith(path) else url
token = os.environ.get(key, "") if key else ""
headers = {"Authorization": "Bearer " + token} if token else {}
def get(target):
    with urllib.request.urlopen(urllib.request.Request(target, headers=headers), timeout=10) as answer:
        return answer.read(10_000_000)
def missing():
    try:
        if health:
            try:
                get(base + health)
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
        listed = [entry.get("id") for entry in json.loads(get(base + "/v1/models")).get("data", [])]
        return None if model in listed else "the server does not list the model " + model
    except Exception as error:
        return type(error).__name__ + (" " + str(error.code) if isinstance(error, urllib.error.HTTPError) else "")
begin = time.monotonic()
print("evalsaga: this job waits until its endpoint is ready", file=sys.stderr, flush=True)
while True:
    reason = missing()
    waited = time.monotonic() - begin
    if reason is None:
        break
    if waited > float(seconds):
        print(f"evalsaga: the endpoint was not ready after {seconds} s ({reason})", file=sys.stderr, flush=True)
        sys.exit(1)
    time.sleep(min(5, max(0.5, waited / 20)))
with open(opened, "w"):
    pass
print(f"evalsaga: the endpoint is ready, after {waited:.0f} s of waiting", file=sys.stderr, flush=True)
`;

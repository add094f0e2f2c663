/**
 * What is added to the harness from outside: Python runs a module `sitecustomize` when it starts, in every process of the harness. A
 * harness that lacks what is changed runs as it is. Pure.
 */
import { modelUrlVariable } from '../../contract/identity';
import { openFile } from './wait-script';

/** Files in the job's work folder. */
const folder = 'hooks';
const programFile = `${folder}/sitecustomize.py`;
/** Every request to the model has its answer. */
export const answeredSign = 'answered';
/** Made by the script: the endpoint is gone, or will be any moment. */
export const releasedSign = 'released';
/** The harness has asked the model although its endpoint is released. */
export const missedSign = 'missed';

export interface Hooks {
  /** Requests are held back until the endpoint is Ready. */
  readonly holdsRequests: boolean;
  /** It is said when the last request is answered. */
  readonly tellsLastRequest: boolean;
}

/** Returns the lines that write the program; `write` returns those that write one file. */
export const hookFileLines = (hooks: Hooks, write: (file: string, content: string) => string[]): string[] => [
  `mkdir "$work/${folder}"`,
  ...write(programFile, hookProgram(hooks)),
];

/** The line before the harness is started. */
export const hookLine = `export PYTHONPATH="$work/${folder}\${PYTHONPATH:+:$PYTHONPATH}"`;

const hookProgram = ({ holdsRequests, tellsLastRequest }: Hooks): string =>
  [
    beginning,
    requestHooks,
    tellsLastRequest ? answerHooks : '',
    `holds = ${holdsRequests ? `not os.path.exists(opened)` : 'False'}`,
    tellsLastRequest ? 'hooks.update(answer_hooks)' : '',
    end,
  ]
    .filter((text) => text !== '')
    .map((text) => text.trim())
    .join('\n');

const beginning = `
import importlib.machinery, importlib.util, os, sys, time
from urllib.parse import urlsplit
folder = os.path.dirname(os.path.abspath(__file__))
work = os.path.dirname(folder)
opened = os.path.join(work, "${openFile}")
is_released = os.path.exists(os.path.join(work, "${releasedSign}"))
target = urlsplit(os.environ.get("${modelUrlVariable}", "")).netloc.rpartition("@")[2]
hooks = {}
def sign(name):
    with open(os.path.join(work, name), "w"):
        pass
`;

/**
 * Holds back, before the client's own timeout begins: requests to the endpoint itself, and POST requests to this host, where the evaluator
 * has its proxy. Once the endpoint is released, only those to itself, for as long as it takes the script to end the job.
 */
const requestHooks = `
is_open = False
def held(method, url):
    global is_open
    if str(method).upper() != "POST":
        return False
    parts = urlsplit(str(url))
    is_target = parts.netloc.rpartition("@")[2] == target
    if is_released:
        if is_target:
            sign("${missedSign}")
        return is_target
    is_open = is_open or os.path.exists(opened)
    here = parts.hostname in ("localhost", "127.0.0.1", "0.0.0.0", "::1")
    return not is_open and (here or is_target)
def of_requests(module):
    send = module.Session.send
    def wrapped(self, request, **options):
        while held(request.method, request.url):
            time.sleep(0.2)
        return send(self, request, **options)
    module.Session.send = wrapped
def of_aiohttp(module):
    import asyncio
    call = module.ClientSession._request
    async def wrapped(self, method, url, **options):
        while held(method, url):
            await asyncio.sleep(0.2)
        return await call(self, method, url, **options)
    module.ClientSession._request = wrapped
def of_httpx(module):
    import asyncio
    send, asend = module.Client.send, module.AsyncClient.send
    def wrapped(self, request, **options):
        while held(request.method, request.url):
            time.sleep(0.2)
        return send(self, request, **options)
    async def awrapped(self, request, **options):
        while held(request.method, request.url):
            await asyncio.sleep(0.2)
        return await asend(self, request, **options)
    module.Client.send, module.AsyncClient.send = wrapped, awrapped
request_hooks = {"requests.sessions": of_requests, "aiohttp.client": of_aiohttp, "httpx._client": of_httpx}
`;

/**
 * lm-evaluation-harness sends all requests of all kinds first, then applies the filters of one task after the other. When it comes to
 * the first of them, the requests are variables of the function that calls: each must have an answer, else nothing is said.
 */
const answerHooks = `
is_told = False
def tell_if_answered(caller):
    global is_told
    try:
        if is_told or caller.f_code.co_name != "evaluate":
            return
        requests = [each for kind in caller.f_locals["requests"].values() for each in kind]
        if requests and all(each.resps for each in requests):
            is_told = True
            sign("${answeredSign}")
    except Exception:
        pass
def of_tasks(module):
    def telling(apply):
        def wrapped(self, *args, **options):
            tell_if_answered(sys._getframe(1))
            return apply(self, *args, **options)
        return wrapped
    for name in ("Task", "ConfigurableTask"):
        kind = getattr(module, name, None)
        if kind is not None and "apply_filters" in vars(kind):
            kind.apply_filters = telling(vars(kind)["apply_filters"])
answer_hooks = {"lm_eval.api.task": of_tasks}
`;

const end = `
if holds or is_released:
    hooks.update(request_hooks)
class Finder:
    def find_spec(self, name, path=None, target=None):
        change = hooks.pop(name, None)
        spec = importlib.machinery.PathFinder.find_spec(name, path) if change else None
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            change(module)
        spec.loader.exec_module = exec_module
        return spec
if hooks:
    sys.meta_path.insert(0, Finder())
# The image may have one of its own.
rest = [entry for entry in sys.path if os.path.abspath(entry or ".") != folder]
spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
if spec is not None and spec.loader is not None:
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
`;

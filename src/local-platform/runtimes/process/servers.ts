import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { HomePaths } from '../../../home/paths';
import { resolveWeights, ModelUnavailable } from '../../model-server/weights';
import { provisionModelServer } from '../../provision/model-server';
import type { Report } from '../../../provision/once';
import type { DeploymentSpecBody, RuntimeHost, RuntimeNote } from '../../runtime';
import { translatePaths, type PathMapping } from './container-paths';
import { cleanEnvironment, specEnvironment } from './process-env';
import { canRunOwnServer } from './own-server';
import { freePort, isFree } from './ports';
import { findServer, namesPort, readServerRequest, withPort } from './server-command';

/** How to start a server. */
export interface ServerPlan {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `undefined` if the server takes a free port and writes it to its `--port-file`. */
  readonly port: number | undefined;
  /** The served GGUF file; `undefined` if the deployment runs its own server. */
  readonly weights: string | undefined;
  readonly servedModel: string | undefined;
  /** What differs from the service. */
  readonly notes: readonly RuntimeNote[];
}

export interface PlanServerOptions {
  readonly spec: DeploymentSpecBody;
  readonly host: RuntimeHost;
  readonly home: HomePaths;
  /** File to which the model server writes its port. */
  readonly portFile: string;
  /** File that the model server touches at each request. */
  readonly trafficFile: string;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** The compiled entry point, even when this file runs uncompiled in tests. */
const MODEL_SERVER = path.resolve(
  __dirname,
  '..',
  '..',
  '..',
  '..',
  'dist',
  'local-platform',
  'model-server',
  'main.js',
);

/** Plans how to serve a deployment, and fetches what that needs. Rejects with what can be served instead. */
export async function planServer(options: PlanServerOptions): Promise<ServerPlan> {
  const { spec, host } = options;
  const mappings = await mountMappings(spec, host);
  const words = (spec.container?.command ?? []).map((word) => translatePaths(word, mappings));
  const variables = specEnvironment(spec.envs, { host, mappings });
  const tokens = bearerTokens(spec, host);
  const base = cleanEnvironment(process.env, { server: true });
  if (await canRunOwnServer(findServer(words).words, { ...base, ...pathOf(variables) }))
    return planOwnServer({ spec, words, env: { ...base, ...variables }, tokens });
  return planModelServer({ options, mappings, tokens });
}

const pathOf = ({ PATH }: Record<string, string>): Record<string, string> => (PATH === undefined ? {} : { PATH });

/**
 * Returns the tokens that callers of the deployment may present; empty if none is needed. Throws for a token that
 * does not exist.
 */
export function bearerTokens(spec: DeploymentSpecBody, host: Pick<RuntimeHost, 'secret'>): string[] {
  return (spec.api_tokens ?? []).flatMap(({ value, value_from: reference }) => {
    const name = reference?.token_name_ref;
    if (name === undefined) return value ? [value] : [];
    const found = host.secret(name);
    if (found === undefined)
      throw new Error(`api_tokens refers to secret "${name}", which this workspace does not have.`);
    return [found];
  });
}

async function planModelServer(context: {
  options: PlanServerOptions;
  mappings: readonly PathMapping[];
  tokens: readonly string[];
}): Promise<ServerPlan> {
  const { options, mappings, tokens } = context;
  const { spec, home, report, signal, portFile, trafficFile } = options;
  const request = readServerRequest(spec);
  if (!request)
    throw new ModelUnavailable(
      '(none)',
      'neither its command nor its variables (MODEL_PATH, NIM_MODEL_NAME) name a model',
    );
  const model = translatePaths(request.model, mappings);
  const weights = await resolveWeights({ home, report, signal, model });
  const runtimeFolder = await provisionModelServer({ home, report, signal });
  return {
    command: [
      ...[process.execPath, MODEL_SERVER, '--model', weights, '--runtime', runtimeFolder],
      ...['--served-model-name', request.servedModel, '--port-file', portFile],
      ...['--traffic-file', trafficFile, '--threads', String(threads())],
      ...(request.maxModelLength === undefined ? [] : ['--max-model-len', String(request.maxModelLength)]),
    ],
    env: { ...cleanEnvironment(process.env), EVALSAGA_MODEL_SERVER_TOKENS: JSON.stringify(tokens) },
    port: undefined,
    weights,
    servedModel: request.servedModel,
    notes: [standInNote(spec, request.servedModel)],
  };
}

async function planOwnServer(context: {
  spec: DeploymentSpecBody;
  words: readonly string[];
  env: Readonly<Record<string, string>>;
  tokens: readonly string[];
}): Promise<ServerPlan> {
  const { spec, words, env, tokens } = context;
  const fixedPort = namesPort(words) ? undefined : spec.container?.ports?.[0]?.container_port;
  if (fixedPort !== undefined && !(await isFree(fixedPort)))
    throw new Error(
      `Port ${fixedPort} of this machine is taken, and the command has no port option that could be changed: ` +
        'add --port to it, or let it listen on $PORT.',
    );
  const port = fixedPort ?? (await freePort());
  const key = tokens[0] === undefined ? {} : { VLLM_API_KEY: tokens[0] };
  return {
    command: withPort(words, port),
    env: { ...env, ...key, MODEL_PORT: String(port), PORT: String(port) },
    port,
    weights: undefined,
    servedModel: readServerRequest(spec)?.servedModel,
    notes: [ownServerNote(spec)],
  };
}

/** Describes what the model server replaces, and which parts of the deployment have no effect with it. Pure. */
export function standInNote({ container }: DeploymentSpecBody, servedModel: string): RuntimeNote {
  const { words, script } = findServer(container?.command ?? []);
  const why = words[0] === undefined ? 'the process runtime does not run images' : `${words[0]} is not on this machine`;
  return {
    type: script === undefined ? 'Normal' : 'Warning',
    reason: 'StandIn',
    message:
      `${servedModel} is served by the local platform's own model server: ${why}. ` +
      (script === undefined ? '' : 'The shell lines around the command (pre_cmd) were not run. ') +
      'Of its arguments only the model, its name and the context length have an effect.',
  };
}

function ownServerNote({ container }: DeploymentSpecBody): RuntimeNote {
  const { words, script } = findServer(container?.command ?? []);
  const wrapped = script === undefined ? '' : ', with the shell lines around it (pre_cmd)';
  return {
    type: 'Normal',
    reason: 'OwnServer',
    message: `${words[0] ?? ''} of this machine is run${wrapped}, without the image ${container?.image ?? '(none)'}.`,
  };
}

/** Returns the host folders of a spec's mounts. */
export async function mountMappings(
  { mounts }: Pick<DeploymentSpecBody, 'mounts'>,
  host: Pick<RuntimeHost, 'mountFolder'>,
): Promise<PathMapping[]> {
  return Promise.all(
    (mounts ?? []).map(async (mount) => ({
      container: mount.mount_path.replace(/\/+$/, ''),
      host: await host.mountFolder({ from: mount.from, path: mount.path }),
    })),
  );
}

/**
 * Returns the number of threads per model server: `EVALSAGA_MODEL_SERVER_THREADS`, by default a quarter of the cores.
 * Several endpoints and their jobs share the cores, and llama.cpp's threads wait for each other by spinning: two threads
 * on two busy cores are 20 times slower than one.
 */
function threads(): number {
  const configured = Number(process.env['EVALSAGA_MODEL_SERVER_THREADS']);
  return configured >= 1 ? Math.floor(configured) : Math.max(1, Math.floor(availableParallelism() / 4));
}

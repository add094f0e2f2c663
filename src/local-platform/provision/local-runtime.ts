import { hubReachable, provisionOfflineData } from '../harness/data';
import { provisionHarness, type Harness } from '../harness/provision-harness';
import { provisionTokenizer } from '../harness/tokenizer';
import { builtInWeights } from '../model-server/weights';
import { provisionModelServer } from './model-server';
import type { Provisioning } from '../../provision/python';

/** Everything that the example needs on this machine. Absolute paths. */
export interface LocalRuntime {
  /** Folder with node-llama-cpp. */
  readonly modelServer: string;
  /** GGUF file of the built-in model. */
  readonly weights: string;
  /** Folder with its tokenizer. */
  readonly tokenizer: string | undefined;
  readonly harness: Harness;
  /** To use as `HF_HOME`; `undefined` when the dataset hub is there. */
  readonly offlineData: string | undefined;
}

/**
 * Installs what local runs of the built-in model need, each part once; returns at once when all is there. Safe to
 * interrupt and to call from several processes at a time. Independent parts are fetched at the same time.
 */
export async function provisionLocalRuntime(options: Provisioning): Promise<LocalRuntime> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const parts = { ...options, signal };
  const weightsReady = builtInWeights(parts);
  try {
    const [modelServer, weights, { harness, offlineData, tokenizer }] = await Promise.all([
      provisionModelServer(parts),
      weightsReady,
      provisionEvaluation(parts, weightsReady),
    ]);
    return { modelServer, weights, tokenizer, harness, offlineData };
  } catch (error) {
    // The first failure is the one to tell; what else is under way would only go on unseen.
    stop.abort(error);
    throw error;
  }
}

async function provisionEvaluation(
  options: Provisioning,
  weightsReady: Promise<string>,
): Promise<Pick<LocalRuntime, 'harness' | 'offlineData' | 'tokenizer'>> {
  const harness = await provisionHarness(options);
  const [offlineData, tokenizer] = await Promise.all([
    provisionDatasets({ ...options, harness }),
    weightsReady
      .then((weights) => provisionTokenizer({ ...options, harness, weights }))
      .then((made) => (made.kind === 'folder' ? made.folder : undefined)),
  ]);
  return { harness, offlineData, tokenizer };
}

/** The datasets' source: `undefined` for the hub, else the folder to use instead. */
export async function provisionDatasets(options: Provisioning & { harness: Harness }): Promise<string | undefined> {
  if (await hubReachable(options.harness, options.signal)) return undefined;
  return provisionOfflineData(options);
}

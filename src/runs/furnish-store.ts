import { createHash } from 'node:crypto';
import type { RunPlan } from '../contract/plan';
import { resultsPlaceOf, sealedSecretsName, storedConfigName } from '../contract/results-place';
import { openStore } from '../results/store/open-store';
import type { ResultsStore, StoreEnv } from '../results/store/store';
import { StoreError } from '../results/store/store-error';
import type { EncryptionKey } from '../temporal/encryption/key-file';
import { seal, sealedFor } from '../temporal/encryption/seal';
import { UsageFault } from '../support/usage-fault';

/** The run needs its results store on the launching machine, and can't use it from there. Exit code 2. */
export class StoreUnusable extends UsageFault {
  override readonly name = 'StoreUnusable';
}

/**
 * Puts into a run's place in its results store what workers elsewhere can't know: the masked config, and the sealed values of host
 * variables. Throws `StoreUnusable` if the latter can't be put there; without them, a machine that can't write there only warns.
 */
export async function furnishStore(
  plan: RunPlan,
  request: {
    readonly configYaml: string;
    readonly hostSecrets: Readonly<Record<string, string>>;
    readonly sealingKey?: EncryptionKey | undefined;
    readonly storeEnv?: StoreEnv | undefined;
    readonly warn?: ((text: string) => void) | undefined;
  },
): Promise<void> {
  const { configYaml, hostSecrets, sealingKey, storeEnv = process.env, warn } = request;
  try {
    const store = await openStore(resultsPlaceOf(plan), storeEnv);
    if (plan.sealedSecrets && sealingKey)
      await putText(store, sealedSecretsName, seal(hostSecrets, sealingKey, sealedFor(plan.invocation)));
    await putText(store, storedConfigName, configYaml);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (plan.sealedSecrets)
      throw new StoreUnusable(
        `The secrets that the config refers to can't be sealed into the results store: ${error.message}. Nothing was created.`,
      );
    warn?.(
      `this machine can't write to the results store: ${error.message}. The run's workers may be able to; to copy its results from here, that must be put right`,
    );
  }
}

async function putText(store: ResultsStore, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'utf8');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await store.put({ bytes }, { path, size: bytes.length, sha256 });
}

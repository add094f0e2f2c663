import { sealedSecretsName } from '../contract/results-place';
import type { SecretsOfRun } from '../activities/dependencies';
import { NotOnThisWorker } from '../activities/elsewhere';
import type { HomePaths } from '../home/paths';
import { storedSecrets } from '../home/run-store';
import { readStoredText } from '../results/store/local-copy';
import { openStore } from '../results/store/open-store';
import { storeEnv } from '../results/store/store-access';
import { mountedSecrets, secretsFolderVariable } from '../secrets/mounted';
import { secretsOfReferences } from '../secrets/secret-values';
import { encryptionOf } from '../temporal/encryption/data-converter';
import { EncryptionKeyError } from '../temporal/encryption/key-error';
import { sealedFor, unseal, type Values } from '../temporal/encryption/seal';

type Env = Readonly<Record<string, string | undefined>>;

/** Finds the values of the variables that runs refer to, on this worker. */
export class RunSecrets {
  /** By run: values that only this worker's environment or mounted files have, and that it must therefore remember to mask. */
  private readonly own = new Map<string, Values>();
  /** By run. */
  private readonly opened = new Map<string, Values>();

  constructor(
    private readonly home: Pick<HomePaths, 'secrets' | 'credentials'>,
    private readonly env: Env,
  ) {}

  /**
   * Returns a resolver that looks in this order: what this home stored for the run, what was sealed for it, mounted files
   * (`EVALSAGA_SECRETS_DIR`), this process's environment. It throws `NotOnThisWorker` for a name that is in none.
   */
  async resolver(run: SecretsOfRun): Promise<(name: string) => string> {
    const { invocation } = run;
    const stored: Values = { ...(await this.sealed(run)), ...(await storedSecrets(this.home, invocation)) };
    const mounted = await mountedSecrets(this.env[secretsFolderVariable]);
    return (name) => {
      const value = stored[name] ?? mounted[name] ?? this.env[name];
      if (value === undefined) throw new NotOnThisWorker(nowhere(name, invocation));
      if (stored[name] === undefined) this.own.set(invocation, { ...this.own.get(invocation), [name]: value });
      return value;
    };
  }

  /** Returns the sealed values of a run; `{}` if it has none. Rejects with `NotOnThisWorker` without the key, or `StoreError`. */
  async sealed({ invocation, secretsAt }: SecretsOfRun): Promise<Values> {
    const known = this.opened.get(invocation);
    if (secretsAt === undefined || known) return known ?? {};
    const store = await openStore(secretsAt, await storeEnv(this.home, this.env));
    const text = await readStoredText(store, sealedSecretsName);
    const values = text === undefined ? {} : this.open(text, invocation);
    if (text !== undefined) this.opened.set(invocation, values);
    return values;
  }

  /** Returns what this worker must mask in texts about the run, apart from what its home stored. */
  async toMask(invocation: string | undefined): Promise<readonly string[]> {
    const mounted = secretsOfReferences(await mountedSecrets(this.env[secretsFolderVariable]));
    const named = [this.own, this.opened].map((values) => secretsOfReferences(values.get(invocation ?? '') ?? {}));
    return [...mounted, ...named.flat()];
  }

  async forget({ invocation, secretsAt }: SecretsOfRun): Promise<void> {
    this.own.delete(invocation);
    this.opened.delete(invocation);
    if (secretsAt === undefined) return;
    const store = await openStore(secretsAt, await storeEnv(this.home, this.env));
    await store.remove(sealedSecretsName);
  }

  private open(text: string, invocation: string): Values {
    try {
      return unseal(text, encryptionOf(this.env).ring, sealedFor(invocation));
    } catch (error) {
      if (!(error instanceof EncryptionKeyError)) throw error;
      throw new NotOnThisWorker(`the secrets that were sealed for run ${invocation} can't be opened: ${error.message}`);
    }
  }
}

const nowhere = (name: string, invocation: string): string =>
  `variable ${name}, which the config refers to, is neither stored on this host for run ${invocation} nor set in this worker's environment, nor a file in ${secretsFolderVariable}`;

import type { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { firstLine } from '../support/lines';
import { messageOf } from '../support/error-message';
import { searchAttributeNames } from '../contract/identity';

const keyword = temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;

export type SearchAttributes =
  | { readonly usable: true }
  /** Runs work without them, but can't be listed by model, phase, outcome or owner. */
  | { readonly usable: false; readonly warning: string };

/** Registers missing search attributes. Never throws: if the cluster refuses, they are unusable. */
export async function ensureSearchAttributes(client: Client): Promise<SearchAttributes> {
  const { namespace } = client.options;
  try {
    const { operatorService } = client.connection as Connection;
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = searchAttributeNames.filter((name) => customAttributes[name] !== keyword);
    if (missing.length > 0) {
      const searchAttributes = Object.fromEntries(missing.map((name) => [name, keyword]));
      await operatorService.addSearchAttributes({ namespace, searchAttributes });
    }
    return { usable: true };
  } catch (error) {
    const seen = firstLine(messageOf(error));
    return {
      usable: false,
      warning:
        `Temporal's search attributes ${searchAttributeNames.join(', ')} are not available in namespace "${namespace}" (${seen}); ` +
        `runs work without them. An administrator can create them: temporal operator search-attribute create ` +
        `--namespace ${namespace} ${searchAttributeNames.map((name) => `--name ${name} --type Keyword`).join(' ')}`,
    };
  }
}

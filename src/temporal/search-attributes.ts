import type { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { firstLine } from '../support/lines';
import { messageOf } from '../support/error-message';
import { labelAttributes, searchAttributeNames } from '../contract/identity';

const keyword = temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
const keywordList = temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST;

export type SearchAttributes =
  | {
      readonly usable: true;
      /** Those of names and tags are there too; without them runs are found by their memo, which takes longer. */
      readonly labels: boolean;
    }
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
    return { usable: true, labels: await ensureLabels(client, customAttributes) };
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

/** Registers the attributes of names and tags. Returns whether they are there; a cluster that refuses has the others. */
async function ensureLabels(client: Client, known: Readonly<Record<string, number>>): Promise<boolean> {
  const { namespace } = client.options;
  const { operatorService } = client.connection as Connection;
  const types = { Keyword: keyword, KeywordList: keywordList } as const;
  const wanted = Object.entries(labelAttributes).map(([name, type]) => [name, types[type]] as const);
  const missing = wanted.filter(([name, type]) => known[name] !== type);
  if (missing.length === 0) return true;
  try {
    await operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing) });
    return true;
  } catch {
    return false;
  }
}

import { isPlainObject } from '../../support/plain-object';
import { conflict, invalid, notFound } from '../api-error';
import { textAt } from '../json';
import type { SecretRecord } from '../state/records';
import type { WorkspaceContext } from './context';
import { checkVariableName } from './spec-rules';

export class Secrets {
  readonly #context: WorkspaceContext;

  constructor(context: WorkspaceContext) {
    this.#context = context;
  }

  list(): SecretRecord[] {
    return this.#context.state.secrets.values().sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Stores all secrets or none. Throws 400 or 409. */
  async create(posted: unknown): Promise<void> {
    if (!Array.isArray(posted)) throw invalid('the body must be a list of {name, value}');
    const records = posted.map((item, index) => this.#parse(item, index));
    for (const { name } of records) {
      if (this.#context.state.secrets.get(name) !== undefined) throw conflict(`secret ${name} already exists`);
    }
    await Promise.all(records.map((record) => this.#context.state.secrets.put(record.name, record)));
  }

  async delete(name: string): Promise<void> {
    if (this.#context.state.secrets.get(name) === undefined) throw notFound(`secret ${name} was not found`);
    await this.#context.state.secrets.remove(name);
  }

  #parse(item: unknown, index: number): SecretRecord {
    const name = textAt(item, 'name');
    const value = textAt(item, 'value');
    checkVariableName(`[${index}].name`, name);
    if (name === undefined || value === undefined) throw invalid(`[${index}].value: a secret needs a value`);
    const visibility = textAt(item, 'visibility');
    const tags =
      isPlainObject(item) && Array.isArray(item['tags']) ? item['tags'].filter((tag) => typeof tag === 'string') : [];
    return {
      name,
      value,
      createdAt: this.#context.now(),
      ...(visibility === undefined ? {} : { visibility }),
      ...(tags.length === 0 ? {} : { tags }),
    };
  }
}

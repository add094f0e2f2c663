import Table from 'cli-table3';
import { stringify } from 'yaml';
import type { CatalogueTask } from '../../config';
import { bare } from './overview';

/** Table of the tasks that can be evaluated. Pure. */
export function taskTable(tasks: readonly CatalogueTask[]): string {
  const table = new Table({ head: ['Task', 'Harness', 'Endpoints', 'Needs'], ...bare });
  for (const { name, harness, endpoints, capabilities = [], variables = [] } of tasks) {
    table.push([name, harness, endpoints.join(', '), [...capabilities, ...variables].join(', ')]);
  }
  return table.toString();
}

/** Describes tasks of one name as YAML; several harnesses may have one. Pure. */
export function taskDetails(tasks: readonly CatalogueTask[]): string {
  return tasks
    .map(({ name, harness, ...rest }) => stringify({ task: `${harness}.${name}`, ...rest }).trimEnd())
    .join('\n---\n');
}

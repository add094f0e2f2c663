import Table from 'cli-table3';
import { stringify } from 'yaml';
import type { CatalogueTask } from '../../config';
import { bare } from './overview';

/** The tasks that can be evaluated, in few words each. Pure. */
export function taskTable(tasks: readonly CatalogueTask[]): string {
  const table = new Table({ head: ['Task', 'Harness', 'Endpoints', 'Needs'], ...bare });
  for (const { name, harness, endpoints, capabilities = [], variables = [] } of tasks) {
    table.push([name, harness, endpoints.join(', '), [...capabilities, ...variables].join(', ')]);
  }
  return table.toString();
}

/** Everything known of tasks of one name (several harnesses may have one), as YAML. Pure. */
export function taskDetails(tasks: readonly CatalogueTask[]): string {
  return tasks
    .map(({ name, harness, ...rest }) => stringify({ task: `${harness}.${name}`, ...rest }).trimEnd())
    .join('\n---\n');
}

import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { ConnectionLike } from '@temporalio/client';
import type { HomePaths } from '../home/paths';
import { readJsonFile, writePrivateJson } from '../home/private-file';
import { answerWithinMs } from './deadlines';

/**
 * Names the Temporal installation that owns a run: written into everything that runs create, so that a sweeper never
 * touches what belongs to another. A home's embedded server goes by the home's own id, which outlives its database; a
 * cluster by its id and namespace.
 */
export async function originOf(options: {
  readonly connection: Pick<ConnectionLike, 'workflowService' | 'withDeadline'>;
  readonly namespace: string;
  readonly home: HomePaths;
  /** Whether the server is the home's own. */
  readonly embedded: boolean;
}): Promise<string> {
  if (options.embedded) return `home:${await homeId(options.home)}`;
  const { connection, namespace } = options;
  const ask = () => connection.workflowService.getClusterInfo({});
  const { clusterId } = await connection.withDeadline(Date.now() + answerWithinMs, ask);
  return `cluster:${clusterId}/${namespace}`;
}

async function homeId(home: HomePaths): Promise<string> {
  const file = path.join(home.root, 'id.json');
  const stored = (await readJsonFile(file)) as { id?: string } | undefined;
  if (stored?.id) return stored.id;
  const id = randomUUID();
  await writePrivateJson(file, { id });
  return id;
}

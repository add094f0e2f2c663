import { Connection, Client } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { execa } from 'execa';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../../src/support/ports';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes';
import type { Binaries } from './binaries';
import { endStaleClusters, openClusterFolder } from './ledger';
import { startServer as startProcess, type ServerProcess } from './server-process';
import { databaseUser, openDatabase, untilTrue, type Database } from './postgres';

/** A real Temporal cluster on this machine: the four services in one process, and PostgreSQL. */
export interface Cluster {
  /** `host:port` */
  readonly address: string;
  readonly database: Pick<Database, 'start' | 'kill'>;
  /** Resolves once it answers. */
  startServer(): Promise<void>;
  /** SIGKILL. */
  killServer(): Promise<void>;
  close(): Promise<void>;
}

const stores = { temporal: 'temporal', temporal_visibility: 'visibility' } as const;
const services = ['frontend', 'history', 'matching', 'worker'] as const;

/**
 * Starts a cluster in a folder of its own, with the namespace `default` and our search attributes. Clusters that were left behind
 * because their owner was killed are ended first.
 */
export async function startCluster({ server: program, sqlTool, postgres }: Binaries): Promise<Cluster> {
  for (const stale of await endStaleClusters()) console.error(`ended a cluster whose owner was killed: ${stale}`);
  const folder = await openClusterFolder();
  const database = await openDatabase({ programs: postgres, folder });
  await database.start();
  await createSchemas(sqlTool, database.port);
  const ports = await freePorts(2 * services.length);
  const address = `127.0.0.1:${ports[0]}`;
  await writeFile(path.join(folder, 'dynamic.yaml'), stringify(dynamicSettings));
  await writeFile(
    path.join(folder, 'server.yaml'),
    stringify(serverConfig({ ports, folder, database: database.port })),
  );
  const log = await open(path.join(folder, 'server.log'), 'a');
  let server: ServerProcess | undefined;
  const startServer = async (): Promise<void> => {
    const args = ['--config-file', path.join(folder, 'server.yaml'), '--allow-no-auth', 'start'];
    server = startProcess(program, args, { folder, stdio: ['ignore', log.fd, log.fd] });
    await untilTrue('Temporal Server answers', () => answers(address)).catch(async (error: Error) => {
      const said = (await readFile(path.join(folder, 'server.log'), 'utf8')).slice(-2_000);
      throw new Error(`${error.message}: ${said}`, { cause: error });
    });
  };
  await startServer();
  return {
    address,
    database,
    startServer,
    killServer: async () => server?.end('SIGKILL'),
    async close() {
      await server?.end('SIGTERM');
      await database.close();
      await log.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function createSchemas(sqlTool: string, port: number): Promise<void> {
  const env = { SQL_HOST: '127.0.0.1', SQL_PORT: String(port), SQL_USER: databaseUser, SQL_PASSWORD: 'unused' };
  for (const [name, schema] of Object.entries(stores)) {
    const tool = (args: readonly string[]) =>
      execa(sqlTool, ['--db', name, ...args], { env: { ...env, SQL_PLUGIN: 'postgres12' } });
    await tool(['create-database']);
    await tool(['setup-schema', '-v', '0.0']);
    await tool(['update-schema', '--schema-name', `postgresql/v12/${schema}`]);
  }
}

/** Temporal keeps the ports of its members in columns that end at 32,767; those that systems give away begin there. */
async function freePorts(count: number): Promise<number[]> {
  const taken: number[] = [];
  for (let attempt = 0; taken.length < count && attempt < 1_000; attempt += 1) {
    const port = await freePort([15_000 + Math.floor(Math.random() * 17_000)], taken);
    if (port <= 32_767) taken.push(port);
  }
  return taken;
}

/** Task queue fairness, which our runs rely on, is off by default. A build counts as drained after seconds instead of minutes. */
const dynamicSettings = {
  'matching.useNewMatcher': [{ value: true }],
  'matching.enableFairness': [{ value: true }],
  'matching.wv.VersionDrainageStatusVisibilityGracePeriod': [{ value: '5s' }],
  'matching.wv.VersionDrainageStatusRefreshInterval': [{ value: '5s' }],
};

function serverConfig(at: {
  readonly ports: readonly number[];
  readonly folder: string;
  readonly database: number;
}): object {
  const { ports, folder, database } = at;
  const sql = (databaseName: string): object => ({
    sql: {
      ...{ pluginName: 'postgres12', databaseName, connectAddr: `127.0.0.1:${database}`, connectProtocol: 'tcp' },
      ...{ user: databaseUser, password: 'unused', maxConns: 20, maxIdleConns: 20, maxConnLifetime: '1h' },
    },
  });
  const service = (index: number): object => ({
    rpc: { grpcPort: ports[2 * index], membershipPort: ports[2 * index + 1], bindOnLocalHost: true },
  });
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'main',
      visibilityStore: 'visibility',
      numHistoryShards: 4,
      datastores: { main: sql('temporal'), visibility: sql('temporal_visibility') },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: Object.fromEntries(services.map((name, index) => [name, service(index)])),
    clusterMetadata: {
      ...{ enableGlobalNamespace: false, failoverVersionIncrement: 10 },
      ...{ masterClusterName: 'active', currentClusterName: 'active' },
      clusterInformation: {
        active: { enabled: true, initialFailoverVersion: 1, rpcName: 'frontend', rpcAddress: `127.0.0.1:${ports[0]}` },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: path.join(folder, 'dynamic.yaml'), pollInterval: '10s' },
  };
}

/** Whether the server has its namespace, which the first call creates, and our search attributes. */
async function answers(address: string): Promise<boolean> {
  const namespace = 'default';
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: 2_000 });
    const { workflowService } = connection;
    const known = await workflowService.describeNamespace({ namespace }).catch(() => undefined);
    if (!known)
      await workflowService.registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: msToTs('1 day'),
      });
    return (await ensureSearchAttributes(new Client({ connection, namespace }))).usable;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

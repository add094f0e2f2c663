import { execa } from 'execa';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** Programs of a cluster: Temporal Server and its SQL tool, built with Go, and PostgreSQL from the system's packages. */
export interface Binaries {
  readonly server: string;
  readonly sqlTool: string;
  /** Folder with `initdb` and `postgres`. */
  readonly postgres: string;
}

const version = 'v1.30.4';
const cache = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'evalsaga-cluster', version);
const server = path.join(cache, 'server');
const sqlTool = path.join(cache, 'sql');

/** How to get what is missing. */
export const howToBuild = `npm run test:cluster builds Temporal Server ${version} once, which takes Go and some minutes, and keeps it in ${cache}; PostgreSQL is the system's package postgresql.`;

/** Returns the programs if they are here; builds and installs nothing. */
export function builtCluster(): Binaries | undefined {
  const postgres = postgresFolder();
  return postgres !== undefined && existsSync(server) && existsSync(sqlTool)
    ? { server, sqlTool, postgres }
    : undefined;
}

/** Builds and installs what is missing, as root. */
export async function buildCluster(): Promise<Binaries> {
  if (postgresFolder() === undefined) {
    await execa('apt-get', ['update', '-qq']);
    await execa('apt-get', ['install', '-y', '-qq', 'postgresql'], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
  }
  for (const [file, source] of [
    [server, `go.temporal.io/server/cmd/server@${version}`],
    [sqlTool, `go.temporal.io/server/cmd/tools/sql@${version}`],
  ] as const)
    if (!existsSync(file))
      await execa('go', ['install', source], { env: { GOBIN: cache, GOFLAGS: '-p=2' }, stdio: 'inherit' });
  const built = builtCluster();
  if (!built) throw new Error(`the cluster could not be built: ${howToBuild}`);
  return built;
}

function postgresFolder(): string | undefined {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return undefined;
  const newest = readdirSync(root).toSorted((a, b) => Number(b) - Number(a))[0];
  const folder = path.join(root, newest ?? '', 'bin');
  return existsSync(path.join(folder, 'postgres')) ? folder : undefined;
}

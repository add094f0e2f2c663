import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { executablesOnPath } from '../../src/support/executable';
import { startChildServer } from './child-server';
import { testCache } from './folders';

export interface Prometheus {
  /** The value of the only series that a query finds; `undefined`: none. */
  query(text: string): Promise<number | undefined>;
  /** Resolves once the query has the value. Gives up after a minute. */
  until(text: string, value: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a real Prometheus that scrapes `target` (`host:port`) each second. `folder`: an existing one. */
export async function startPrometheus({ folder, target }: { folder: string; target: string }): Promise<Prometheus> {
  const config = path.join(folder, 'prometheus.yml');
  const scrape = { job_name: 'evalsaga', scrape_interval: '1s', static_configs: [{ targets: [target] }] };
  await writeFile(config, JSON.stringify({ scrape_configs: [scrape] }));
  const program = await findPrometheus();
  const server = await startChildServer({
    command: (port) => [
      program,
      `--config.file=${config}`,
      `--storage.tsdb.path=${path.join(folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    answers: (port) => fetch(`http://127.0.0.1:${port}/-/ready`).then(({ ok }) => ok),
  });
  const query = async (text: string): Promise<number | undefined> => {
    const url = new URL('/api/v1/query', `http://127.0.0.1:${server.port}`);
    url.searchParams.set('query', text);
    const answer = (await (await fetch(url)).json()) as { data?: { result: { value: [number, string] }[] } };
    const results = answer.data?.result ?? [];
    if (results.length > 1) throw new Error(`${text} finds ${results.length} series`);
    return results[0] && Number(results[0].value[1]);
  };
  return {
    query,
    async until(text, value) {
      let seen: unknown;
      for (let attempt = 0; attempt < 240; attempt += 1) {
        if (server.isOver()) throw new Error('Prometheus ended');
        seen = await query(text).catch((error: unknown) => error);
        if (seen === value) return;
        await sleep(250);
      }
      throw new Error(`${text} is ${String(seen)}, not ${value}`);
    },
    close: () => server.end(),
  };
}

/** Returns the program: on PATH, else out of Debian's package, which needs no installation. */
async function findPrometheus(): Promise<string> {
  for await (const file of executablesOnPath('prometheus', process.env['PATH'])) return file;
  const folder = path.join(testCache, 'prometheus');
  const program = path.join(folder, 'usr', 'bin', 'prometheus');
  if (existsSync(program)) return program;
  await mkdir(folder, { recursive: true });
  await execa('apt-get', ['download', 'prometheus'], { cwd: folder });
  await execa('sh', ['-c', 'dpkg -x prometheus_*.deb .'], { cwd: folder });
  return program;
}

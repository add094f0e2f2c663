import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { pythonEnvironment } from '../conformance/lep';
import { startChildServer, type ChildServer } from './child-server';
import { freshFolder } from './folders';

/** Servers that speak S3, made by others. */

export interface S3Server {
  /** Environment for a client of it. */
  readonly env: Readonly<Record<string, string>>;
  readonly port: number;
  close(): Promise<void>;
}

export interface S3Kind {
  readonly name: string;
  /** Whether it checks signatures. */
  readonly isStrict: boolean;
  /** Starts it with the bucket `bucket`. */
  start(): Promise<S3Server>;
}

const moto: S3Kind = {
  name: 'moto',
  isStrict: false,
  async start() {
    const environment = await pythonEnvironment('moto-5.2.5', ['moto[s3,server]==5.2.5']);
    const program = path.join(environment, 'bin', 'moto_server');
    return serving(
      await startChildServer({
        command: (port) => [program, '-H', '127.0.0.1', '-p', String(port)],
        answers: (port) => fetch(`http://127.0.0.1:${port}/bucket`, { method: 'PUT' }).then(({ ok }) => ok),
      }),
    );
  },
};

/** A build of it that is here already: `go install github.com/versity/versitygw/cmd/versitygw@v1.8.0`. */
const versityProgram = path.join(homedir(), '.cache', 'evalsaga-s3', 'versitygw');

const versity: S3Kind = {
  name: 'versitygw',
  isStrict: true,
  async start() {
    const folder = await freshFolder('versitygw');
    await mkdir(path.join(folder.path, 'bucket'), { recursive: true });
    const server = serving(
      await startChildServer({
        command: (port) => [versityProgram, '--port', `127.0.0.1:${port}`, 'posix', folder.path],
        env: { ROOT_ACCESS_KEY: 'ak', ROOT_SECRET_KEY: 'a-secret-key-of-tests' },
        answers: (port) => fetch(`http://127.0.0.1:${port}/`).then(() => true),
      }),
    );
    return {
      ...server,
      close: async () => {
        await server.close();
        await folder.dispose();
      },
    };
  },
};

/** moto comes from the package index, so that it can always be had; versitygw is a production server, and used where it is built. */
export const s3Kinds: readonly S3Kind[] = existsSync(versityProgram) ? [moto, versity] : [moto];

const serving = ({ port, end }: ChildServer): S3Server => ({
  port,
  env: {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'ak',
    AWS_SECRET_ACCESS_KEY: 'a-secret-key-of-tests',
    AWS_REGION: 'us-east-1',
  },
  close: end,
});

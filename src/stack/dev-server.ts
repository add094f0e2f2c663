import { searchAttributeNames } from '../contract/identity';

export interface DevServer {
  readonly database: string;
  readonly port: number;
  readonly uiPort: number;
  /** Of the codec server that the Web UI, in the user's browser, has payloads decrypted by. */
  readonly codecPort?: number | undefined;
}

/** What the Temporal CLI's own defaults are, so that `temporal` commands and bookmarks work without options. */
export const defaultPorts = { grpc: 7233, ui: 8233 } as const;

/** Arguments of `temporal` for the embedded server: loopback only, everything in one SQLite file. Pure. */
export function devServerArguments({ database, port, uiPort, codecPort }: DevServer): string[] {
  return [
    'server',
    'start-dev',
    '--ip=127.0.0.1',
    '--ui-ip=127.0.0.1',
    `--port=${port}`,
    `--ui-port=${uiPort}`,
    `--db-filename=${database}`,
    ...(codecPort === undefined ? [] : [`--ui-codec-endpoint=http://127.0.0.1:${codecPort}`]),
    '--log-level=warn',
    '--log-format=json',
    ...searchAttributeNames.map((name) => `--search-attribute=${name}=Keyword`),
  ];
}

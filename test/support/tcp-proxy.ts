import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy to a server on this machine, which can be disturbed. */
export interface TcpProxy {
  readonly port: number;
  /** From now on the server still receives everything, but nothing that it sends arrives. */
  mute(): void;
  /** Breaks all connections; new ones work in both directions. */
  renew(): void;
  close(): Promise<void>;
}

export async function openTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let muted = false;
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
        sockets.delete(socket);
      });
    }
    near.pipe(far);
    far.on('data', (chunk) => {
      if (!muted) near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakAll = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    port: (server.address() as AddressInfo).port,
    mute: () => {
      muted = true;
    },
    renew: () => {
      muted = false;
      breakAll();
    },
    close: async () => {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

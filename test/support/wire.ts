import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server on this machine that can be disturbed. */
export interface Wire {
  readonly port: number;
  /** From now on the server hears all, and nothing that it says arrives. */
  mute(): void;
  /** Breaks what is connected; new connections go through, and are heard both ways. */
  renew(): void;
  close(): Promise<void>;
}

export async function openWire(target: number): Promise<Wire> {
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

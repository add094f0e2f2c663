/**
 * Before all tests: builds dist/ if it is stale, and holds the ports that a home's Temporal server prefers, until Jest ends. Each
 * home gets ports of its own then: a suite that kills its server would otherwise find that of another suite at its address.
 */
const { createServer } = require('node:net');
const buildOnce = require('./build-once.cjs');

const preferred = [7233, 8233];

/** Resolves when the port is taken, by this process or another one. */
const hold = (port) =>
  new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', resolve).listen({ port, host: '127.0.0.1', exclusive: true }, resolve).unref();
  });

module.exports = async function beforeAll() {
  buildOnce();
  await Promise.all(preferred.map(hold));
};

import { TestWorkflowEnvironment } from '@temporalio/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { searchAttributeNames } from '../../src/contract/identity';
import { homePaths } from '../../src/home/paths';
import { findServerBinary } from '../../src/stack/server-binary';
import { startChildServer, type ChildServer } from './child-server';
import { testCache } from './folders';

/** `host:port` of a server to use instead of starting one: `npm run test:cluster` runs tests on a cluster in this way. */
export const temporalVariable = 'EVALSAGA_TEST_TEMPORAL';

/**
 * Starts a real in-memory Temporal dev server on a free port, with evalsaga's search attributes. Stop it with
 * `teardown()`.
 */
export async function startTemporal(): Promise<TestWorkflowEnvironment> {
  const address = process.env[temporalVariable];
  if (address) return TestWorkflowEnvironment.createFromExistingServer({ address });
  const file = await findServerBinary({ home: homePaths({ EVALSAGA_HOME: testCache }), env: process.env });
  // The SDK starts one, too, but gives it five seconds only, in which a busy machine may not manage to.
  const server = await startChildServer({
    command: (port) => [file, ...serverArguments(port)],
    // Printed by this server itself: at this address another suite's could answer, too, while this one fails to bind it.
    answers: (port, output) => new RegExp(`Server: +\\S+:${port}\\s`).test(output),
  });
  const env = await connectTo(server);
  const disconnect = env.teardown.bind(env);
  env.teardown = async () => {
    await disconnect();
    await server.end();
  };
  return env;
}

const serverArguments = (port: number): string[] => [
  'server',
  'start-dev',
  '--ip=127.0.0.1',
  `--port=${port}`,
  '--headless',
  '--log-level=error',
  '--log-format=json',
  '--dynamic-config-value=frontend.enableServerVersionCheck=false',
  ...searchAttributeNames.map((name) => `--search-attribute=${name}=Keyword`),
];

async function connectTo(server: ChildServer): Promise<TestWorkflowEnvironment> {
  const deadline = Date.now() + 100_000;
  for (;;) {
    try {
      return await TestWorkflowEnvironment.createFromExistingServer({ address: `127.0.0.1:${server.port}` });
    } catch (error) {
      if (server.isOver() || Date.now() > deadline) {
        await server.end();
        throw error;
      }
      await sleep(200);
    }
  }
}

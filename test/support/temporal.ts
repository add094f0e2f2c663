import { TestWorkflowEnvironment } from '@temporalio/testing';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { searchAttributeNames } from '../../src/contract/identity';
import { homePaths } from '../../src/home/paths';
import { findServerBinary } from '../../src/stack/server-binary';
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
  const path = await findServerBinary({ home: homePaths({ EVALSAGA_HOME: testCache }), env: process.env });
  const start = () =>
    TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path },
        searchAttributes: searchAttributeNames.map((name) =>
          defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
        ),
        log: { format: 'json', level: 'error' },
      },
    });
  // The SDK waits for five seconds only, in which a busy machine may not manage to start it.
  return start().catch(start).catch(start).catch(start).catch(start);
}

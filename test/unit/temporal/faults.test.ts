import { InfrastructureError } from '../../../src/temporal/infrastructure-error';
import { retryDuringOutages } from '../../../src/temporal/retry-during-outages';
import { explainFault, grpcCodeOf, isOutage, isRefusedAccess, lacksSearchAttribute } from '../../../src/temporal/grpc';

const fault = (code: number, details = 'said so'): Error =>
  new Error('Failed to do it', { cause: Object.assign(new Error(`${code} X: ${details}`), { code, details }) });

const embedded = { name: 'Temporal at 127.0.0.1:7233', namespace: 'default', isEmbedded: true };
const cluster = { name: 'Temporal at far:7233', namespace: 'evals', isEmbedded: false };

test.each([
  [0, 'OK', false],
  [1, 'CANCELLED', true],
  [2, 'UNKNOWN', true],
  [3, 'INVALID_ARGUMENT', false],
  [4, 'DEADLINE_EXCEEDED', true],
  [5, 'NOT_FOUND', false],
  [6, 'ALREADY_EXISTS', false],
  [7, 'PERMISSION_DENIED', false],
  [8, 'RESOURCE_EXHAUSTED', true],
  [9, 'FAILED_PRECONDITION', false],
  [10, 'ABORTED', true],
  [11, 'OUT_OF_RANGE', false],
  [12, 'UNIMPLEMENTED', false],
  [13, 'INTERNAL', true],
  [14, 'UNAVAILABLE', true],
  [15, 'DATA_LOSS', true],
  [16, 'UNAUTHENTICATED', false],
])('gRPC %i %s: an outage: %p', (code, _, expected) => {
  expect(isOutage(fault(code))).toBe(expected);
  expect(grpcCodeOf(fault(code))).toBe(code);
});

test('a search attribute that was registered just now may be unknown for a while; other invalid requests are not that', () => {
  const words = 'Namespace default has no mapping defined for search attribute EvalModel';
  expect(lacksSearchAttribute(fault(3, words))).toBe(true);
  expect(lacksSearchAttribute(fault(3, 'WorkflowId is not set on request.'))).toBe(false);
  expect(lacksSearchAttribute(fault(14, words))).toBe(false);
});

test('a message over gRPC\u2019s size limit is no outage, although its code is that of an exceeded quota', () => {
  const tooLarge = fault(8, 'grpc: received message larger than max (5000000 vs. 4194304)');
  expect(isOutage(tooLarge)).toBe(false);
  expect(explainFault(tooLarge, cluster)?.message).toContain('larger than max');
});

test('a full query buffer is no outage, although its code is that of an exceeded quota', () => {
  const fullBuffer =
    'consistent query buffer is full, this may be caused by too many queries and workflow not able to process query fast enough';
  expect(isOutage(fault(8, fullBuffer))).toBe(false);
});

test('other errors are not mistaken for Temporal\u2019s', () => {
  for (const error of [new Error('x'), Object.assign(new Error('x'), { code: 14 }), 'x', undefined]) {
    expect(isOutage(error)).toBe(false);
    expect(explainFault(error, cluster)).toBeUndefined();
  }
});

test('an error that already has advice is left unchanged, whatever its cause', () => {
  const explained = new InfrastructureError('run 0123 may have begun: evalsaga status 0123', { cause: fault(4) });
  expect(explainFault(explained, cluster)).toBeUndefined();
  expect(isOutage(explained)).toBe(true);
});

test('each error names the server, the cause and what to do', () => {
  const text = (error: Error, server = cluster): string => explainFault(error, server)?.message ?? '';
  expect(text(fault(14, 'connect ECONNREFUSED'))).toMatch(
    /far:7233 cannot be reached \(connect ECONNREFUSED\).*TEMPORAL_ADDRESS/,
  );
  expect(text(fault(4), embedded)).toMatch(/127\.0\.0\.1:7233 cannot be reached.*evalsaga up/);
  expect(text(fault(16))).toMatch(/refused the credentials for namespace "evals".*TEMPORAL_API_KEY/);
  expect(isRefusedAccess(fault(7))).toBe(true);
  expect(text(fault(5))).toMatch(/namespace "evals".*TEMPORAL_NAMESPACE/);
  expect(text(fault(12))).toMatch(/too old.*TEMPORAL_ADDRESS/);
  expect(text(fault(3, 'bad\nsecond line'))).toBe('Temporal at far:7233 refused the call (bad).');
  expect(explainFault(fault(14), cluster)?.name).toBe('InfrastructureError');
  expect(text(new Error('Failed to connect before the deadline'))).toContain('cannot be reached');
});

describe('a start during an outage of Temporal', () => {
  const transport = Object.assign(new Error('Failed to connect'), { name: 'TransportError' });
  const failing = (...errors: Error[]) => {
    const left = [...errors];
    const attempt = (): Promise<string> => {
      const error = left.shift();
      return error ? Promise.reject(error) : Promise.resolve('open');
    };
    return { attempt, left };
  };

  test('continues afterwards, whichever of its calls failed', async () => {
    const { attempt } = failing(transport, fault(14), fault(1));
    expect(await retryDuringOutages(attempt, { withinMs: 60_000, pauseMs: 1 })).toBe('open');
  });

  test('throws the cause of a long outage, and other errors at once', async () => {
    await expect(retryDuringOutages(failing(transport).attempt, { withinMs: 0 })).rejects.toBe(transport);
    const denied = fault(7);
    const { attempt, left } = failing(denied, transport);
    await expect(retryDuringOutages(attempt, { withinMs: 60_000 })).rejects.toBe(denied);
    expect(left).toEqual([transport]);
  });

  test('reports the outage once, and stops waiting at the signal', async () => {
    const said: string[] = [];
    const leaving = new AbortController();
    const { attempt, left } = failing(transport, fault(14), transport, transport);
    const onAway = (): void => void said.push('away');
    const trying = retryDuringOutages(
      () => {
        if (left.length === 2) leaving.abort();
        return attempt();
      },
      { withinMs: Infinity, pauseMs: 1, onAway, signal: leaving.signal },
    );
    await expect(trying).rejects.toBe(transport);
    expect(said).toEqual(['away']);
    expect(left).toHaveLength(1);
  });
});

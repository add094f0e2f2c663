import { InfrastructureError } from '../../../src/temporal/infrastructure-error';
import { throughOutages } from '../../../src/temporal/through-outages';
import { explainFault, grpcCodeOf, isOutage, isRefusedAccess } from '../../../src/temporal/grpc';

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

test('a message beyond gRPC\u2019s bound is none, although its code is that of a quota', () => {
  const tooLarge = fault(8, 'grpc: received message larger than max (5000000 vs. 4194304)');
  expect(isOutage(tooLarge)).toBe(false);
  expect(explainFault(tooLarge, cluster)?.message).toContain('larger than max');
});

test('questions that wait for a worker are none, although they have the code of a quota too', () => {
  const waiting =
    'consistent query buffer is full, this may be caused by too many queries and workflow not able to process query fast enough';
  expect(isOutage(fault(8, waiting))).toBe(false);
});

test('errors of others are not taken for Temporal\u2019s', () => {
  for (const error of [new Error('x'), Object.assign(new Error('x'), { code: 14 }), 'x', undefined]) {
    expect(isOutage(error)).toBe(false);
    expect(explainFault(error, cluster)).toBeUndefined();
  }
});

test('an error that says already what to do keeps its words, whatever caused it', () => {
  const told = new InfrastructureError('run 0123 may have begun: evalsaga status 0123', { cause: fault(4) });
  expect(explainFault(told, cluster)).toBeUndefined();
  expect(isOutage(told)).toBe(true);
});

test('each kind says which server, what was seen, and what to do', () => {
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

describe('a start while Temporal is away', () => {
  const transport = Object.assign(new Error('Failed to connect'), { name: 'TransportError' });
  const failing = (...errors: Error[]) => {
    const left = [...errors];
    const attempt = (): Promise<string> => {
      const error = left.shift();
      return error ? Promise.reject(error) : Promise.resolve('open');
    };
    return { attempt, left };
  };

  test('goes on when it is back, whichever of its questions was not answered', async () => {
    const { attempt } = failing(transport, fault(14), fault(1));
    expect(await throughOutages(attempt, { withinMs: 60_000, pauseMs: 1 })).toBe('open');
  });

  test('tells the cause when that lasts, and a refusal at once', async () => {
    await expect(throughOutages(failing(transport).attempt, { withinMs: 0 })).rejects.toBe(transport);
    const denied = fault(7);
    const { attempt, left } = failing(denied, transport);
    await expect(throughOutages(attempt, { withinMs: 60_000 })).rejects.toBe(denied);
    expect(left).toEqual([transport]);
  });

  test('it is said once that Temporal is away; who leaves waits no longer', async () => {
    const said: string[] = [];
    const leaving = new AbortController();
    const { attempt, left } = failing(transport, fault(14), transport, transport);
    const onAway = (): void => void said.push('away');
    const trying = throughOutages(
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

import { status } from '@grpc/grpc-js';
import { namespaceId, noteNamespace, refuseAnotherServer } from '../../../src/temporal/origin';

/** A connection whose server answers in turn with an id, or fails with a status. */
function answering(...answers: readonly (string | number)[]): Parameters<typeof namespaceId>[0]['connection'] {
  const left = [...answers];
  const describeNamespace = () => {
    const next = left.shift();
    return typeof next === 'string'
      ? Promise.resolve({ namespaceInfo: { id: next } })
      : Promise.reject(Object.assign(new Error('no'), { code: next, details: 'no', metadata: {} }));
  };
  return {
    withDeadline: (_: unknown, call: () => Promise<unknown>) => call(),
    workflowService: { describeNamespace },
  } as unknown as Parameters<typeof namespaceId>[0]['connection'];
}

const namespace = 'default';

test('a busy server is asked again, unless the caller asks again itself', async () => {
  const busy = status.RESOURCE_EXHAUSTED;
  expect(await namespaceId({ connection: answering(busy, busy, 'an id'), namespace })).toBe('an id');
  await expect(namespaceId({ connection: answering(busy, 'an id'), namespace }, { withinMs: 0 })).rejects.toThrow('no');
});

test('what a server does not know is believed only of the one that the connection was made to', async () => {
  const same = answering('one');
  noteNamespace({ connection: same }, 'one');
  await refuseAnotherServer({ connection: same, namespace });
  const other = answering('other');
  noteNamespace({ connection: other }, 'one');
  await expect(refuseAnotherServer({ connection: other, namespace })).rejects.toThrow(/another server answers/);
  // Nothing is known of a connection that was made elsewhere.
  await refuseAnotherServer({ connection: answering(), namespace });
});

import { type Client, WorkflowClient } from '@temporalio/client';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import { EncryptionKeyError } from './key-error';

/** Stands for a value whose key is not there. */
export const unreadableValue = '(encrypted)';

/**
 * A client for questions that need no payload (does it run, when did it end): what cannot be decrypted reads `(encrypted)`
 * in place of an error, so that one run of a lost key does not keep all others from being listed, swept or cancelled.
 */
export function indifferent({ connection, options }: Client): WorkflowClient {
  const payloadCodecs = options.loadedDataConverter.payloadCodecs.map(forgiving);
  return new WorkflowClient({ connection, namespace: options.namespace, dataConverter: { payloadCodecs } });
}

const forgiving = (codec: PayloadCodec): PayloadCodec => ({
  encode: (payloads, context) => codec.encode(payloads, context),
  decode: async (payloads, context) => {
    const decoded = payloads.map(async (payload): Promise<Payload[]> => {
      try {
        return await codec.decode([payload], context);
      } catch (error) {
        if (!(error instanceof EncryptionKeyError)) throw error;
        return [defaultPayloadConverter.toPayload(unreadableValue)];
      }
    });
    return (await Promise.all(decoded)).flat();
  },
});

import { type Client, WorkflowClient } from '@temporalio/client';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import { EncryptionKeyError } from './key-error';

/** Stands for a value whose key is not there. */
export const unreadableValue = '(encrypted)';

/**
 * Returns a client for questions that need no payload (does it run, when did it end). What it cannot decrypt reads `(encrypted)`
 * instead of throwing, so that one run whose key is lost does not keep the others from being listed, swept or cancelled.
 */
export function toleratingUnreadable({ connection, options }: Client): WorkflowClient {
  const payloadCodecs = options.loadedDataConverter.payloadCodecs.map(tolerating);
  // Histories say who has cancelled or terminated.
  const { namespace, identity } = options;
  return new WorkflowClient({ connection, namespace, identity, dataConverter: { payloadCodecs } });
}

const tolerating = (codec: PayloadCodec): PayloadCodec => ({
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

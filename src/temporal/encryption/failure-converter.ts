import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Puts messages and stacks of failures where the codec encrypts them. Also part of a workflow bundle, as workflows make
 * failures too: that is why it is a module of its own.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });

import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Moves messages and stacks of failures to where the codec encrypts them. A module of its own because workflow bundles contain it:
 * workflows make failures, too.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });

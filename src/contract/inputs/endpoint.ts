import type { JobAttempt } from '../job-attempts';
import type { EndpointPlan, ProbeSpec } from '../plan';
import type { Usage } from '../state';
import type { Owner } from './owner';

/** Arguments and results of activities for endpoints. */

export interface CreateEndpointInput extends Owner {
  readonly name: string;
  readonly spec: Extract<EndpointPlan, { kind: 'dedicated' }>['spec'];
  /** For which job of its task it is made anew, and what the earlier ones cost. Absent: for the first one. */
  readonly attempt?: JobAttempt;
  readonly earlierUsage?: readonly Usage[];
}

export interface AwaitReadyInput extends Owner {
  readonly name: string;
  readonly probe: ProbeSpec;
  /** For messages and for the polling interval. */
  readonly deadlineSeconds: number;
  /** What the run shows after the endpoint's URL. Absent: nothing. */
  readonly endpointPath?: string;
}

/** For `awaitEndpointUrl`. */
export interface AwaitUrlInput extends Owner {
  readonly name: string;
}

export interface ProbeExistingInput extends Owner {
  readonly url: string;
  readonly probe: ProbeSpec;
}

export interface NamedEndpoint extends Owner {
  readonly name: string;
  /** Its token was made by evalsaga, and is removed with it. Absent: no. */
  readonly hasMadeToken?: boolean;
}

/** An endpoint that is gone. Older workers return nothing. */
export interface RemovedEndpoint {
  /** Why the secret with its made token could not be removed; absent: it is gone, or there is none. */
  readonly tokenLeft?: string;
}

export interface WatchEndpointInput extends NamedEndpoint {
  readonly probe: ProbeSpec;
  /** Seconds without a request after which the platform scales it to zero; `null`: never. */
  readonly noTrafficSeconds: number | null;
  /** Seconds for which it may be unavailable without interruption before it counts as failed. */
  readonly awaySeconds: number;
  /** What happens meanwhile, for messages: `while its job ran`. */
  readonly during: string;
}

export interface ServingInput extends Owner {
  /** `null`: an existing endpoint. */
  readonly name: string | null;
  /** Full request URL. */
  readonly url: string;
  readonly probe: ProbeSpec;
}

/** For `saveLogAndRemoveEndpoint`. */
export interface EndEndpointInput extends NamedEndpoint {
  /** Absolute path of the log's file. */
  readonly logTarget: string;
  /** See `SaveLogInput`. */
  readonly logInsteadOf?: string;
}

/**
 * Failure types: the `type` of every ApplicationFailure that crosses from an activity or a workflow. Workflows and the
 * CLI match on these, never on texts.
 */
export const failureTypes = {
  /** The platform refused the credentials (401) or the permission (403). */
  credentialsRefused: 'CredentialsRefused',
  /** The platform refused the request for good (400, 422, 409 by a resource that is not ours). */
  requestRefused: 'RequestRefused',
  /** The platform cannot be reached or answers 5xx, 429 or nonsense: retried. */
  platformUnavailable: 'PlatformUnavailable',
  /** Not there yet: retried, expected. */
  notReady: 'NotReady',
  /** The endpoint went to a state from which it does not come back. */
  endpointFailed: 'EndpointFailed',
  endpointTimeout: 'EndpointReadinessTimeout',
  /** The endpoint answers but does not serve the model, or refuses the key. */
  endpointMismatch: 'EndpointMismatch',
  jobFailed: 'JobFailed',
  jobTimeout: 'JobTimeout',
  /** The job disappeared from the platform without a final state. */
  jobLost: 'JobLost',
  /** The job completed, but says that it was interrupted before it had evaluated everything. */
  jobInterrupted: 'JobInterrupted',
  resultsMissing: 'ResultsMissing',
  /** Storage was to be removed as empty, and is not: it has not come home. */
  resultsNotHome: 'ResultsNotHome',
  resultsInvalid: 'ResultsInvalid',
  resultsTooLarge: 'ResultsTooLarge',
  /** The folder holds names or shapes that are not safe to bring home. */
  resultsUnusable: 'ResultsUnusable',
  /** The worker lacks credentials or a secret that another may have: left to others for minutes before it is final. */
  notOnThisWorker: 'NotOnThisWorker',
  /** Of runs that older builds began: a secret that the plan references is not set on the worker. */
  secretMissing: 'SecretMissing',
  taskFailed: 'TaskFailed',
  /** Some of the run's tasks did not succeed. */
  tasksFailed: 'TasksFailed',
  runTimeout: 'RunTimeout',
  /** The run reached execution.budget.limit. */
  budgetExceeded: 'BudgetExceeded',
  aborted: 'AbortedBySibling',
  teardownIncomplete: 'TeardownIncomplete',
} as const;

export type FailureType = (typeof failureTypes)[keyof typeof failureTypes];

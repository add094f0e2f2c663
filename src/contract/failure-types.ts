/**
 * Failure types: the `type` of every ApplicationFailure that crosses from an activity or a workflow. Workflows and the
 * CLI match on these, never on messages.
 */
export const failureTypes = {
  /** The platform refused the credentials (401) or the permission (403). */
  credentialsRefused: 'CredentialsRefused',
  /** The platform refused the request, and a retry won't help (400, 422, 409 because of a resource that is not ours). */
  requestRefused: 'RequestRefused',
  /** The platform can't be reached, or answers 5xx, 429 or something unintelligible: retried. */
  platformUnavailable: 'PlatformUnavailable',
  /** Not there yet; expected, and retried. */
  notReady: 'NotReady',
  /** The endpoint is in a state from which it doesn't recover. */
  endpointFailed: 'EndpointFailed',
  endpointTimeout: 'EndpointReadinessTimeout',
  /** An endpoint that several tasks share, such as a judge, failed or was lost. */
  sharedEndpointFailed: 'SharedEndpointFailed',
  /** The endpoint answers but does not serve the model, or refuses the key. */
  endpointMismatch: 'EndpointMismatch',
  jobFailed: 'JobFailed',
  jobTimeout: 'JobTimeout',
  /** The job disappeared from the platform without a final state. */
  jobLost: 'JobLost',
  /** The job completed, but its marker says that it was interrupted before it had evaluated everything. */
  jobInterrupted: 'JobInterrupted',
  resultsMissing: 'ResultsMissing',
  /** Storage that should have been empty isn't: its contents have not been fetched. */
  resultsNotHome: 'ResultsNotHome',
  resultsInvalid: 'ResultsInvalid',
  resultsTooLarge: 'ResultsTooLarge',
  /** The folder holds file names or types that are not safe to fetch. */
  resultsUnusable: 'ResultsUnusable',
  /** The results store can't be reached, refuses, or is full: retried, and then the storage on the platform is kept. */
  resultsStoreFailed: 'ResultsStoreFailed',
  /** An export was refused, or its target can't be reached: fails no task. */
  exportFailed: 'ExportFailed',
  /** A worker has found before anything was created that the run can't work: exit code 2. */
  runNotAdmitted: 'RunNotAdmitted',
  /** The worker lacks credentials or a secret that another one may have: left to others for minutes before it is final. */
  notOnThisWorker: 'NotOnThisWorker',
  /** Of runs started by older builds: a secret that the plan references is not set on the worker. */
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

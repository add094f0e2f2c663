/** The package's entry point: what the commands do, for programs. See docs/library.md. */
export { compareRuns, type ResultsPlace } from './compare/compare-runs';
export type { Comparison, Difference, ScoreComparison, TaskComparison } from './compare/comparison';
export type { CompareOptions, DifferenceKind } from './compare/options';
export { ConfigError, type ConfigProblem } from './config';
export type { Metric } from './contract/metric';
export type { RunDocument, TaskDocument } from './cli/render/run-document';
export { connect, type ConnectOptions, type Evalsaga } from './library/connect';
export { parseConfig, type ConfigSource, type ParsedConfig } from './library/parse-config';
export { cancelRun, resultsOf, watchRun, type ResultsOptions, type WatchOptions } from './library/runs';
export { startRun, type StartOptions, type StartedRun } from './library/start-run';
export { AmbiguousRun, MalformedId, PlanTooLarge, RunDiffers, RunExists, RunNotFound } from './runs/run-errors';
export { ResultsElsewhere } from './runs/local-results';
export { UsageFault } from './support/usage-fault';
export { InfrastructureError } from './temporal/infrastructure-error';

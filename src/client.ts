/** The library: start, describe, watch, cancel, list and compare runs. The command line uses only this for them. */
export { compareRuns, type ResultsPlace } from './compare/compare-runs';
export type { Comparison, Difference, ScoreComparison, TaskComparison } from './compare/comparison';
export { gateRuns } from './compare/gate/gate-runs';
export type { GatedBenchmark, GateReport } from './compare/gate/gate';
export type { CompareOptions, DifferenceKind } from './compare/options';
export { metricsOf, type Metric } from './contract/metric';
export type { ResultsInfo, Sampling } from './runs/results-info';
export { cancelRun } from './runs/cancel';
export { describeRun, type RunDescription } from './runs/describe';
export { watchRun } from './runs/watch-run';
export { AmbiguousRun, MalformedId, PlanTooLarge, RunExists, RunNotFound } from './runs/run-errors';
export type { SavedScores, ChangesAfterEnd } from './runs/changes-after-end';
export { listRuns, type RunSummary } from './runs/list';
export { resolveInvocation } from './runs/resolve';
export { stallsOf, type Stall } from './runs/stalled';
export { startRun, type StartRequest } from './runs/start';
export { terminateRun } from './runs/terminate';

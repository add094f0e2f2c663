/** Reading, validating and planning a configuration: what other folders use of this one. */
export { loadConfig } from './load';
export type { ConfigRequest } from './load';
export type { LoadedConfig } from './loaded';
export { migrateConfig } from './migrate/migrate';
export type { Migration } from './migrate/migrate';
export { makeNewConfig } from './new-config';
export type { NewConfig } from './new-config';
export { taskNameToday, tasksNamed } from './migrate/rules/task-names';
export { planRun } from './plan/plan-run';
export type { PlanContext } from './plan/plan-run';
export { ConfigError, renderProblem } from './yaml/problems';
export type { ConfigProblem } from './yaml/problems';
export type { ResolvedConfig } from './schema/config';
export { showConfig } from './show';
export { isContaminationTest } from './catalogue/choose-task';
export { describeTask, findTask, listHarnesses, listTasks } from './catalogue/catalogue';
export type { CatalogueHarness, CatalogueTask } from './catalogue/catalogue';
export { maskTokens, maskValues } from '../secrets/secrecy';

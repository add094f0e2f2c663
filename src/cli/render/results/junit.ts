import { html, type Html } from '../../../report/page/html';
import type { RunDocument, TaskDocument } from '../run-document';

/**
 * A run as JUnit XML, which CI systems show: one suite per run, one case per task with its scores as properties. `isStrict`: a task
 * with findings counts as failed. Pure.
 */
export function junitOf(runs: readonly RunDocument[], { isStrict }: { readonly isStrict: boolean }): string {
  const suites = runs.map((run) => suite(run, isStrict));
  return html`<?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="evalsaga"> ${suites}</testsuites>`.text;
}

function suite(run: RunDocument, isStrict: boolean): Html {
  const cases = run.tasks.map((task) => caseOf(run, task, isStrict));
  const count = (result: Result): number => cases.filter((one) => one.result === result).length;
  const seconds = cases.reduce((sum, one) => sum + one.seconds, 0);
  return html`<testsuite
    name="${run.model}"
    id="${run.invocation}"
    timestamp="${run.startedAt}"
    tests="${cases.length}"
    failures="${count('failure')}"
    errors="${count('error')}"
    skipped="${count('skipped')}"
    time="${seconds.toFixed(3)}"
  >
    ${cases.map(({ xml }) => xml)}</testsuite
  > `;
}

type Result = 'passed' | 'failure' | 'error' | 'skipped';

function caseOf(
  run: RunDocument,
  task: TaskDocument,
  isStrict: boolean,
): { xml: Html; result: Result; seconds: number } {
  const findings = run.findings.filter(({ index }) => index === task.index);
  const text = findings.map(({ message, advice }) => `${message}. ${advice}`).join('\n');
  const seconds = task.costs.jobSeconds ?? 0;
  const result = resultOf(task, isStrict && findings.length > 0);
  const properties = task.scores.flatMap(({ name, value, stderr }) => [
    html`<property name="${name}" value="${String(value)}" /> `,
    stderr !== null && html`<property name="${name}_stderr" value="${String(stderr)}" /> `,
  ]);
  const xml = html`<testcase name="${task.name}" classname="${run.model}" time="${seconds.toFixed(3)}">
    ${task.scores.length > 0 && html`<properties> ${properties}</properties> `}${outcome(task, { result, text })}${text !== '' && html`<system-out>${text}</system-out> `}</testcase
  > `;
  return { xml, result, seconds };
}

function resultOf({ status, error }: TaskDocument, isSpoiled: boolean): Result {
  switch (status) {
    case 'succeeded':
      return isSpoiled ? 'failure' : 'passed';
    case 'failed':
      return error === null ? 'failure' : 'error';
    case 'cancelled':
    case 'pending':
    case 'running':
      return 'skipped';
  }
}

function outcome(
  task: TaskDocument,
  { result, text }: { readonly result: Result; readonly text: string },
): Html | null {
  const message = task.error?.message ?? task.status;
  switch (result) {
    case 'passed':
      return null;
    case 'failure':
      return html`<failure message="${text === '' ? message : (text.split('\n', 1)[0] ?? '')}">${text}</failure> `;
    case 'error':
      return html`<error type="${task.error?.type ?? ''}" message="${message}" /> `;
    case 'skipped':
      return html`<skipped message="${message}" /> `;
  }
}

import { html as xml, type Html } from '../../../report/page/html';
import type { RunDocument, TaskDocument } from '../run-document';

/**
 * A run as JUnit XML, which CI systems show: one suite per run, one case per task with its scores as properties. `isStrict`: a task
 * with findings counts as failed. Pure.
 */
export function junitOf(runs: readonly RunDocument[], { isStrict }: { readonly isStrict: boolean }): string {
  const suites = runs.map((run) => suite(run, isStrict));
  return xml`<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="evalsaga">\n${suites}</testsuites>`.text;
}

function suite(run: RunDocument, isStrict: boolean): Html {
  const cases = run.tasks.map((task) => caseOf(run, task, isStrict));
  const count = (result: Result): number => cases.filter((one) => one.result === result).length;
  const seconds = cases.reduce((sum, one) => sum + one.seconds, 0);
  const counts = xml`tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}"`;
  const name = xml`name="${run.model}" id="${run.invocation}" timestamp="${run.startedAt}"`;
  return xml`<testsuite ${name} ${counts} time="${seconds.toFixed(3)}">\n${cases.map((one) => one.element)}</testsuite>\n`;
}

type Result = 'passed' | 'failure' | 'error' | 'skipped';

interface Case {
  readonly element: Html;
  readonly result: Result;
  readonly seconds: number;
}

function caseOf(run: RunDocument, task: TaskDocument, isStrict: boolean): Case {
  const findings = run.findings.filter(({ index }) => index === task.index);
  const text = findings.map(({ message, advice }) => `${message}. ${advice}`).join('\n');
  const seconds = task.costs.jobSeconds ?? 0;
  const result = resultOf(task, isStrict && findings.length > 0);
  const scores = task.scores.flatMap(({ name, value, stderr }) => [
    xml`<property name="${name}" value="${String(value)}"/>\n`,
    stderr !== null && xml`<property name="${name}_stderr" value="${String(stderr)}"/>\n`,
  ]);
  const properties = task.scores.length > 0 && xml`<properties>\n${scores}</properties>\n`;
  const said = [text, ...task.notes].filter((line) => line !== '').join('\n');
  const output = said !== '' && xml`<system-out>${said}</system-out>\n`;
  const about = xml`name="${task.name}" classname="${run.model}" time="${seconds.toFixed(3)}"`;
  const element = xml`<testcase ${about}>\n${properties}${outcome(task, { result, text })}${output}</testcase>\n`;
  return { element, result, seconds };
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
      return xml`<failure message="${text === '' ? message : (text.split('\n', 1)[0] ?? '')}">${text}</failure>\n`;
    case 'error':
      return xml`<error type="${task.error?.type ?? ''}" message="${message}"/>\n`;
    case 'skipped':
      return xml`<skipped message="${message}"/>\n`;
  }
}

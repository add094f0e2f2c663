/** Runs Jest with the given arguments and prints a last line `N passed, N failed`. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);
const folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-test-'));
const report = path.join(folder, 'report.json');
const args = [
  require.resolve('jest/bin/jest'),
  '--json',
  `--outputFile=${report}`,
  '--maxWorkers=2',
  ...process.argv.slice(2),
];
const { status, signal } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
if (!existsSync(report)) {
  rmSync(folder, { recursive: true, force: true });
  console.error(`Jest ended${signal ? ` by ${signal}` : ` with code ${status}`} before it ran any test.`);
  console.log('0 passed, 1 failed');
  process.exit(1);
}
const {
  numPassedTests: passed,
  numFailedTests: failed,
  numRuntimeErrorTestSuites: broken,
  numTotalTests: total,
} = JSON.parse(readFileSync(report, 'utf8'));
rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed + broken} failed`);
process.exitCode = status === 0 && total > 0 ? 0 : 1;

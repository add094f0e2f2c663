import path from 'node:path';
import { writeWholeJson } from '../../support/whole-file';

/**
 * Writes `<output_dir>/<invocation>/run.json`: the resolved config with secrets masked, versions, times, platform, model,
 * outcome, tasks, and what teardown left or kept. `outputDir` is the run's own folder. Replaces an earlier record.
 */
export async function writeRunRecord(outputDir: string, record: Readonly<Record<string, unknown>>): Promise<void> {
  await writeWholeJson(path.join(outputDir, 'run.json'), record);
}

import path from 'node:path';
import { writeJson } from '../../support/atomic-file';

/**
 * Writes `<output_dir>/<invocation>/run.json`: the resolved config with secrets masked, versions, times, platform, model,
 * outcome, tasks, and what teardown left or kept. `outputDir` is the run's own folder. Replaces an earlier record.
 */
export async function writeRunRecord(outputDir: string, record: Readonly<Record<string, unknown>>): Promise<void> {
  await writeJson(path.join(outputDir, 'run.json'), record);
}

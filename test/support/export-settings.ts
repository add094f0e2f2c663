import type { CommonExportSettings, FileSettings } from '../../src/contract/export';

/** Settings of exports, as a config without any has them. */

export const common: CommonExportSettings = {
  copy_logs: false,
  copy_artifacts: true,
  only_required: true,
  log_metrics: [],
};

export const fileSettings: FileSettings = { ...common, output_dir: null, output_filename: null };

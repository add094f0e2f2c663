import type { JobScript } from '../../src/config/plan/job-script';

/** The least that a job's script needs; tests add what they are about. */
export const plainScript: JobScript = {
  task: 'h.t',
  runConfig: 'config:\n  type: t\n',
  preCmd: null,
  postCmd: null,
  timeoutSeconds: 60,
  modelUrl: null,
  ownUrl: false,
  runtimeVariables: [],
};

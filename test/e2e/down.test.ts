import path from 'node:path';
import { endUnit, launchUnit, prepareUnit } from '../../src/local-platform/runtimes/process/unit';
import { testHome } from '../support/command';

test('down --force lists the endpoints and jobs of the local platform that are still running', async () => {
  const home = await testHome('down');
  const runtime = path.join(home.folder, 'home', 'platform', 'runtime');
  const units = [
    path.join(runtime, 'jobs', 'eval-x-0-0123', 'unit'),
    path.join(runtime, 'deployments', 'vllm-x', 'u1'),
  ];
  try {
    for (const folder of units) {
      await prepareUnit(folder);
      const log = path.join(home.folder, 'log');
      const env = { PATH: process.env['PATH'] ?? '' };
      await launchUnit({ folder, command: ['sleep', '300'], env, cwd: home.folder, log });
    }
    const named = await home.run(['down', '--force']);
    expect(named.code).toBe(0);
    expect(named.stdout).toMatch(
      /endpoint vllm-x \(process \d+\)\n {2}job eval-x-0-0123 \(process \d+\)\n.* up, then .* cancel/,
    );
    for (const folder of units) await endUnit(folder, 1_000);
    expect((await home.run(['down', '--force'])).stdout.trim()).toBe('nothing was running');
  } finally {
    for (const folder of units) await endUnit(folder, 1_000);
    await home.dispose();
  }
});

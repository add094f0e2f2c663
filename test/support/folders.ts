import { execa } from 'execa';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

/** Cache of downloads shared by test runs: server binary, Python environments of real clients. */
export const testCache = process.env['EVALSAGA_TEST_CACHE'] ?? path.join(homedir(), '.cache', 'evalsaga-test');

/** Creates a fresh folder; remove it with `dispose`. */
export async function freshFolder(label: string): Promise<{ path: string; dispose: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), `evalsaga-${label}-`));
  return { path: folder, dispose: () => rm(folder, { recursive: true, force: true }) };
}

/**
 * Creates 1,200 nested folders, whose path exceeds the maximum length; only a process that changes into each can
 * create them.
 */
export async function nestDeeply(folder: string): Promise<void> {
  const walk = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(1200):\n  os.mkdir('deep'); os.chdir('deep')";
  await execa('python3', ['-c', walk, folder]);
}

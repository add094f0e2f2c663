import { migrateConfig, type Migration } from '../../../../src/config';

/** Migrates a text as a file that isn't there. */
export const migrated = (
  text: string,
  {
    file = '/nowhere/run.yaml',
    env = {},
    own = [],
  }: { file?: string; env?: Record<string, string>; own?: string[] } = {},
): Promise<Migration> =>
  migrateConfig({
    text,
    file,
    env,
    cwd: '/nowhere',
    platform: { kind: 'local', workspace: 'local' },
    hasOwnConfig: (configPath) => own.includes(configPath),
  });

/** Migrates, and checks what holds for every file: migrating the result changes nothing. */
export async function stable(text: string, options: Parameters<typeof migrated>[1] = {}): Promise<Migration> {
  const migration = await migrated(text, options);
  const again = await migrated(migration.text, options);
  expect([again.changes, again.text]).toEqual([[], migration.text]);
  return migration;
}

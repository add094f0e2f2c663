import { access, constants } from 'node:fs/promises';
import path from 'node:path';

/** Whether this user may execute the file. */
export const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Yields the absolute paths of a command in the folders of `PATH`, in their order. */
export async function* executablesOnPath(command: string, PATH: string | undefined): AsyncGenerator<string> {
  for (const folder of (PATH ?? '').split(path.delimiter).filter(Boolean)) {
    const file = path.resolve(folder, command);
    if (await isExecutable(file)) yield file;
  }
}

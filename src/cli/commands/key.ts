import path from 'node:path';
import { createKeyFile, keyFileVariable, rotateKeyFile } from '../../temporal/encryption/key-file';
import { flag, type CommandBody } from '../command';
import { UsageError } from '../usage-error';
import { done } from '../exit-code';

/** `key FILE`: makes a file with an encryption key, or adds a new one to it. */
export const key: CommandBody = async (input, { cwd, output }) => {
  const [name] = input.arguments;
  if (name === undefined) throw new UsageError('Say in which file the key is to be.');
  const file = path.resolve(cwd, name);
  const isRotation = flag(input, 'rotate');
  const { id } = isRotation ? await rotateKeyFile(file) : await createKeyFile(file);
  output.answer(`key ${id} is in ${file}`);
  output.note(
    isRotation
      ? 'It encrypts from the next start of each command and worker on; what the older keys encrypted needs them still.'
      : `Whoever loses it loses every history it encrypted: keep a copy. Use it in every command and worker: export ${keyFileVariable}=${file}`,
  );
  return done;
};

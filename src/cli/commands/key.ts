import path from 'node:path';
import { createKeyFile, keyFileVariable, rotateKeyFile } from '../../temporal/encryption/key-file';
import { flag, type CommandBody } from '../command';
import { UsageError } from '../usage-error';
import { done } from '../exit-code';

/** `key FILE`: creates a file with an encryption key, or adds a new key to it. */
export const key: CommandBody = async (input, { cwd, output }) => {
  const [name] = input.arguments;
  if (name === undefined) throw new UsageError('Give the file for the key.');
  const file = path.resolve(cwd, name);
  const isRotation = flag(input, 'rotate');
  const { id } = isRotation ? await rotateKeyFile(file) : await createKeyFile(file);
  output.answer(`key ${id} is in ${file}`);
  output.note(
    isRotation
      ? 'It encrypts as soon as each command and worker is restarted; keep the older keys for what they encrypted.'
      : `If you lose it, you lose every history it encrypted: keep a copy. Use it in every command and worker: export ${keyFileVariable}=${file}`,
  );
  return done;
};

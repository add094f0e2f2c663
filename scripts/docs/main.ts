/** `npm run docs`: writes the documents generated from the config schema. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { generated } from './generated';

for (const { file, text } of generated()) writeFileSync(path.resolve(__dirname, '../..', file), text);

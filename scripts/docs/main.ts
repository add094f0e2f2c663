/** Writes the documents that are generated from the config's schema: `npm run docs`. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { generated } from './generated';

for (const { file, text } of generated()) writeFileSync(path.resolve(__dirname, '../..', file), text);

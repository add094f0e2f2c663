import { editorSchema } from './json-schema';
import { referenceText } from './reference';

/** The generated files, by their path in the repository. */
export const generated = (): readonly { readonly file: string; readonly text: string }[] => [
  { file: 'docs/configuration.md', text: referenceText() },
  { file: 'docs/evalsaga.schema.json', text: editorSchema() },
];

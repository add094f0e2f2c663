import { editorSchema } from './json-schema';
import { fieldsText } from './lepton-fields';
import { referenceText } from './reference';

/** Returns the generated files with their paths in the repository. */
export const generated = (): readonly { readonly file: string; readonly text: string }[] => [
  { file: 'docs/configuration.md', text: referenceText() },
  { file: 'docs/lepton-fields.md', text: fieldsText() },
  { file: 'docs/evalsaga.schema.json', text: editorSchema() },
];

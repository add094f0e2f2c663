/** Building blocks of the schema. Their messages say what was found and what is allowed. */
export { anything, listOf, mapping, none, orNull, recordOf } from './collection-fields';
export { choice, decimal, duration, flag, integer, text } from './scalar-fields';
export { section } from './section';

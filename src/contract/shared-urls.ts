/**
 * Request URLs of shared endpoints, which are known only when these are Ready: texts of a job have placeholders for them, each of
 * which names the variable of the job that holds the URL. Pure.
 */

/** Only evalsaga writes this form: a user's text that has it would be filled in as well. */
export const sharedUrlPlaceholder = (variable: string): string => `***evalsaga-url:${variable}***`;

const placeholder = /\*{3}evalsaga-url:([A-Za-z_][A-Za-z0-9_]*)\*{3}/g;

/** Returns the variables that a text has placeholders for, each once. */
export const sharedUrlsIn = (text: string): readonly string[] => [
  ...new Set([...text.matchAll(placeholder)].map(([, name = '']) => name)),
];

/** Fills in URLs; what is not known stays. */
export const withSharedUrls = (text: string, urls: Readonly<Record<string, string>>): string =>
  text.replaceAll(placeholder, (all, name: string) => (Object.hasOwn(urls, name) ? (urls[name] ?? all) : all));

/** Splits a text at its placeholders; every second piece is one. */
export const splitAtSharedUrls = (text: string): string[] =>
  text.split(/(\*{3}evalsaga-url:[A-Za-z_][A-Za-z0-9_]*\*{3})/);

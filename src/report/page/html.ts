/** HTML that is safe to print: text becomes part of it only escaped. Pure. */

/** A piece of HTML, made by `html` or, from a trusted source such as the plotting library, by `trusted`. */
export class Html {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

type Part = Html | string | number | null | undefined | false | readonly Part[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What neither a browser nor XML shows: control characters, and those that turn the direction of the text around. */
const invisible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

/** Escapes text for HTML and XML, in elements and in quoted attributes. */
export const escaped = (text: string): string =>
  text
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(invisible, '')
    .replace(/[&<>"']/g, (character) => entities[character] ?? '');

/** Tag of template literals: escapes what is filled in, except for HTML. Lists are joined; `null`, `undefined` and `false` are nothing. */
export const html = (texts: TemplateStringsArray, ...parts: readonly Part[]): Html =>
  new Html(texts.map((text, at) => text + rendered(parts[at])).join(''));

/** Takes markup as it is: only for output of the plotting library, never for anything that a run or a harness wrote. */
export const trusted = (markup: string): Html => new Html(markup);

function rendered(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(rendered).join('');
  return escaped(String(part));
}

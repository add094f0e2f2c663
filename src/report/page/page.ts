import { html, trusted, type Html } from './html';
import { pageStyle } from './page-style';

/** The shell of every report: one file that needs nothing else. */

export interface Page {
  readonly title: string;
  /** A line below the title. */
  readonly summary?: Html;
  readonly sections: readonly Section[];
  /** ISO 8601. */
  readonly writtenAt: string;
  /** Version of evalsaga. */
  readonly version: string;
}

export interface Section {
  /** For links; letters, digits and `-`. */
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** No script runs and nothing is fetched, whatever a name or a message may contain. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** Returns the text of an HTML file: no network, no scripts, light and dark, prints well. Pure. */
export function pageHtml({ title, summary, sections, writtenAt, version }: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <style>
          ${trusted(pageStyle)}
        </style>
      </head>
      <body>
        <header>
          <h1>${title}</h1>
          ${summary && html`<p class="summary">${summary}</p>`}
          ${sections.length > 2 && html`<nav>${sections.map((section) => html`<a href="#${section.id}">${section.title}</a> `)}</nav>`}
        </header>
        <main>
          ${sections.map(
            ({ id, title: name, body }) =>
              html`<section id="${id}">
                <h2>${name}</h2>
                ${body}
              </section> `,
          )}
        </main>
        <footer>evalsaga ${version}, ${writtenAt}</footer>
      </body>
    </html> `.text;
}

import { html, type Html } from './html';

/** A column of a table in a report. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Html | string | null;
  /** Numbers are set to the right. */
  readonly isNumber?: boolean;
}

/** Returns a table; columns that have no content in any row are left out. Pure. */
export function tableHtml<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): Html {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const shown = columns.map((_, at) => cells.some((line) => line[at] !== null && String(line[at]) !== ''));
  const line = (tag: 'th' | 'td', contents: readonly (Html | string | null)[]): Html => {
    const parts = contents.map((content, at) => {
      if (!shown[at]) return null;
      const look = columns[at]?.isNumber ? html` class="number"` : '';
      return tag === 'th' ? html`<th${look}>${content}</th>` : html`<td${look}>${content}</td>`;
    });
    return html`<tr>
      ${parts}
    </tr>`;
  };
  return html`<div class="scroll">
    <table>
      <thead>
        ${line(
          'th',
          columns.map(({ title }) => title),
        )}
      </thead>
      <tbody>
        ${cells.map((contents) => html`${line('td', contents)} `)}
      </tbody>
    </table>
  </div>`;
}

/** What can happen to one request. Pure. */

export interface Fault {
  readonly name: string;
  /**
   * When the platform does what it was asked: after the answer it gives here is decided (`before`: not at all, unless the
   * request passes), before it (`after`), or seconds after it (`late`).
   */
  readonly moment: 'before' | 'after' | 'late';
  readonly answer:
    /** The platform's own. */
    | { readonly kind: 'pass' }
    | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: number }
    | { readonly kind: 'cut' }
    /** None, for longer than anybody waits. */
    | { readonly kind: 'silence' };
}

export const lateAfterMs = 2_000;

const refused = (status: number): Fault['answer'] => ({ kind: 'status', status });

export const faults: readonly Fault[] = [
  { name: 'none, before', moment: 'before', answer: { kind: 'pass' } },
  { name: 'none, after', moment: 'after', answer: { kind: 'pass' } },
  { name: '500', moment: 'before', answer: refused(500) },
  { name: '500 but done', moment: 'after', answer: refused(500) },
  { name: '429', moment: 'before', answer: { kind: 'status', status: 429, retryAfter: 1 } },
  { name: '401', moment: 'before', answer: refused(401) },
  { name: 'cut', moment: 'before', answer: { kind: 'cut' } },
  { name: 'cut but done', moment: 'after', answer: { kind: 'cut' } },
  { name: 'cut and done late', moment: 'late', answer: { kind: 'cut' } },
  { name: 'silence', moment: 'before', answer: { kind: 'silence' } },
  { name: 'silence but done', moment: 'after', answer: { kind: 'silence' } },
];

/** Whether it makes a difference there: for a question, it does not matter when it was answered. */
export function applies(fault: Fault, method: string): boolean {
  const isQuestion = method === 'GET' || method === 'HEAD';
  return !isQuestion || fault.moment === 'before' || fault.name === 'none, after';
}

/** What the rules of a migration share: the document, what kind of file it is, and what is reported. */
import { maskTokens } from '../../secrets/secrecy';
import type { ConfigDocument } from './config-document';
import type { DocumentPath } from './yaml-nodes';

/** Something that was changed. */
export interface Change {
  /** Dotted path in the file as it was. */
  readonly path: string;
  /** What became of it, in a few words. */
  readonly change: string;
  readonly reason: string;
}

/** Something that only the user can decide. */
export interface OpenQuestion {
  /** Dotted path in the file as it is now. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}

export type Executor = 'local' | 'slurm' | 'lepton';

export class Session {
  readonly changes: Change[] = [];
  readonly questions: OpenQuestion[] = [];
  /** What a reader should know, though there is nothing to do in the file. */
  readonly notes: string[] = [];

  constructor(
    readonly document: ConfigDocument,
    /** What the file was written for; `undefined` if it does not say. */
    readonly executor: Executor | undefined,
    /** The choice of `deployment`; `undefined` if the file makes none. */
    readonly deployment: string | undefined,
    /** Whether the user has a file of their own for a group's choice, which then wins over a preset. */
    readonly hasOwnConfig: (configPath: string) => boolean,
  ) {}

  changed(path: DocumentPath, change: string, reason: string): void {
    this.changes.push({ path: path.join('.'), change: maskTokens(change), reason });
  }

  ask(path: DocumentPath, message: string, hint?: string): void {
    if (this.questions.some((question) => question.path === path.join('.'))) return;
    this.questions.push({
      path: path.join('.'),
      message: maskTokens(message),
      ...(hint === undefined ? {} : { hint }),
    });
  }

  note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  /** Removes a key that has no effect here, unless something else in the file refers to it. */
  remove(path: DocumentPath, reason: string, isRemovedToo: (path: DocumentPath) => boolean = () => false): void {
    const { document } = this;
    if (!document.has(path)) return;
    const isOwn = (other: DocumentPath): boolean => path.every((key, at) => key === other[at]) || isRemovedToo(other);
    if (document.isAnchored(path) || document.isReferred(path, isOwn)) {
      this.note(`${path.join('.')} has no effect here, but other values refer to it: it stays`);
      return;
    }
    const shown = shortText(document.text(path));
    document.take(path);
    this.changed(path, shown === undefined ? 'removed' : `removed (was ${shown})`, reason);
  }

  /** Moves a value to a key that has none. Returns false, and asks, if that has one already. */
  move(from: DocumentPath, to: DocumentPath, reason: string): boolean {
    const { document } = this;
    if (document.has(to) && !document.isNull(to)) {
      this.ask(from, `belongs in ${to.join('.')}, which has a value already`, 'keep one of the two');
      return false;
    }
    if (document.isAnchored(from)) {
      this.ask(from, `belongs in ${to.join('.')}, but other parts of the file share it`, 'move it there yourself');
      return false;
    }
    if (!document.move(from, to)) return false;
    this.changed(from, `now ${to.join('.')}`, reason);
    return true;
  }
}

const shortText = (text: string | undefined): string | undefined =>
  text === undefined || text === '' || /[\n]/.test(text) || text.length > 60 ? undefined : text;

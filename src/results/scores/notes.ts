import { access, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** A job writes these about its own results, e.g. that few-shot examples came from the evaluated rows. */
const notesSchema = z.object({ notes: z.array(z.string()) });

/** Limits on the notes shown with the scores; the file has all of them. */
const maxNotes = 10;
const maxNoteLength = 500;
/** Bytes; a larger file is not read. */
const maxFileBytes = 1024 * 1024;

/** Returns the notes in `evalsaga_notes.json` of a task's result folder, or a note on why it can't be read. */
export async function readNotes(folder: string): Promise<string[]> {
  const file = path.join(folder, 'evalsaga_notes.json');
  try {
    if ((await stat(file)).size > maxFileBytes) return ['evalsaga_notes.json is too large and was ignored'];
    const parsed = notesSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return parsed.success
      ? parsed.data.notes
          .slice(0, maxNotes)
          .map((note) => (note.length > maxNoteLength ? `${note.slice(0, maxNoteLength - 1)}…` : note))
      : ['evalsaga_notes.json is not of the form {"notes": ["…"]} and was ignored'];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (error instanceof SyntaxError) return ['evalsaga_notes.json is not JSON and was ignored'];
    throw error;
  }
}

/** Written by the job's script and by the evaluator when they are stopped before they have finished. */
export const interruptedMarkers = ['.evalsaga_interrupted', '.nemo_evaluator_interrupted'] as const;

/** Returns whether a marker in the result folder says that the job was interrupted, so that its scores cover only some samples. */
export async function isInterrupted(folder: string): Promise<boolean> {
  const found = interruptedMarkers.map((name) =>
    access(path.join(folder, name)).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(found)).includes(true);
}

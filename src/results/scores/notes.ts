import { access, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** Written by a job about its own results, e.g. that few-shot examples came from the evaluated rows. */
const notesSchema = z.object({ notes: z.array(z.string()) });

/** Notes are shown with the scores: beyond this they are no notes. All of them are in the file. */
const mostNotes = 10;
const longestNote = 500;
/** Bytes of a file that is read at all. */
const longestFile = 1024 * 1024;

/** What `evalsaga_notes.json` in a task's result folder says; none when there is no such file, or it is not one of ours. */
export async function readNotes(folder: string): Promise<string[]> {
  const file = path.join(folder, 'evalsaga_notes.json');
  try {
    if ((await stat(file)).size > longestFile) return ['evalsaga_notes.json is too large and was passed over'];
    const parsed = notesSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return parsed.success
      ? parsed.data.notes
          .slice(0, mostNotes)
          .map((note) => (note.length > longestNote ? `${note.slice(0, longestNote - 1)}…` : note))
      : ['evalsaga_notes.json is not of the form {"notes": ["…"]} and was passed over'];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (error instanceof SyntaxError) return ['evalsaga_notes.json is not JSON and was passed over'];
    throw error;
  }
}

/** Written by the job's script, and by the evaluator, when they are told to stop before they are through. */
export const interruptedMarkers = ['.evalsaga_interrupted', '.nemo_evaluator_interrupted'] as const;

/** Whether the job says in its result folder that it was interrupted: what it wrote is not about all samples. */
export async function isInterrupted(folder: string): Promise<boolean> {
  const found = interruptedMarkers.map((name) =>
    access(path.join(folder, name)).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(found)).includes(true);
}

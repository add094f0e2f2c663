import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** Written by a job about its own results, e.g. that few-shot examples came from the evaluated rows. */
const notesSchema = z.object({ notes: z.array(z.string()) });

/** What `evalsaga_notes.json` in a task's result folder says; none when there is no such file, or it is not one of ours. */
export async function readNotes(folder: string): Promise<string[]> {
  try {
    const parsed = notesSchema.safeParse(JSON.parse(await readFile(path.join(folder, 'evalsaga_notes.json'), 'utf8')));
    return parsed.success
      ? parsed.data.notes
      : ['evalsaga_notes.json is not of the form {"notes": ["…"]} and was passed over'];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (error instanceof SyntaxError) return ['evalsaga_notes.json is not JSON and was passed over'];
    throw error;
  }
}

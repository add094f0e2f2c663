/** Imported before everything else, because the other modules may not load on an old Node. */
import { nodeComplaint } from '../support/node-version';

const complaint = nodeComplaint(process.versions.node);
if (complaint !== undefined) {
  if (process.argv.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: { type: 'NodeTooOld', message: complaint } }, null, 2)}\n`);
  process.stderr.write(`error: ${complaint} Install it from your package manager or with nvm, then try again.\n`);
  process.exit(2);
}

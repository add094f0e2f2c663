/** Writes a file to a results store, for tests that kill the writer: PLACE FILE SHA256. */
const { statSync } = require('node:fs');
const path = require('node:path');
const { openStore } = require(path.join(__dirname, '../../dist/results/store/open-store.js'));

const [place, file, sha256] = process.argv.slice(2);
openStore(place, process.env).then((store) =>
  store.put({ file }, { path: '0-task/file', size: statSync(file).size, sha256 }),
);

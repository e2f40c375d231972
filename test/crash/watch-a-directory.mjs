// Loaded into the daemon: looks at every file of $WATCHED whenever a file operation is about to begin and when it is
// over, so that no version of any file there goes unseen, and writes down what it saw.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const { WATCHED = '', WATCH_REPORT = '' } = process.env;
const seen = new Set();

function look() {
  const entries = fs.existsSync(WATCHED) ? fs.readdirSync(WATCHED, { withFileTypes: true }) : [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const { name } = entry;
    const text = fs.readFileSync(join(WATCHED, name), 'latin1');
    const version = `${name} ${text}`;
    if (seen.has(version)) continue;
    seen.add(version);
    fs.appendFileSync(WATCH_REPORT, `${JSON.stringify({ name, text })}\n`);
  }
}

for (const name of ['open', 'rename', 'unlink']) {
  const original = fs.promises[name];
  fs.promises[name] = async (...args) => {
    look();
    try {
      return await original(...args);
    } finally {
      look();
    }
  };
}
syncBuiltinESMExports();

/** Writes the generated parts of docs/api.md anew: `npm run docs`. */
import { readFile, writeFile } from 'node:fs/promises';
import { API_PAGE, renewApiPage } from './api-page.js';

await writeFile(API_PAGE, await renewApiPage(await readFile(API_PAGE, 'utf8')));

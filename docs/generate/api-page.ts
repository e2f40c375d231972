import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { bodyTables, parameterTable } from './bodies.js';
import { errorTable, reasonTable } from './errors.js';
import { fill } from './fill.js';
import { libraryReference } from './library.js';
import { limitTable } from './limits.js';
import { routeList } from './routes.js';

/** The page whose generated parts come from here. */
export const API_PAGE = fileURLToPath(new URL('../api.md', import.meta.url));

/** The text of the page with its generated parts as the code has them now; it reads `dist`, so build first. */
export async function renewApiPage(page: string): Promise<string> {
  const filled = fill(page, {
    routes: routeList(),
    parameters: parameterTable(),
    bodies: bodyTables(),
    errors: errorTable(),
    reasons: reasonTable(),
    limits: limitTable(),
    library: libraryReference(),
  });
  return format(filled, { ...(await resolveConfig(API_PAGE)), filepath: API_PAGE });
}

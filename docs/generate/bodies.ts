import { DOCUMENT, linkTo, type Schema } from './document.js';
import { code, table } from './markdown.js';

/** More values than this are listed elsewhere. */
const MOST_VALUES = 8;

/** What may stand in a query. */
export function parameterTable(): string {
  const rows = Object.entries(DOCUMENT.components.parameters).map(([name, { description, schema }]) => [
    code(name),
    schema.default === undefined ? '' : String(schema.default),
    typeOf(schema),
    description,
  ]);
  return table(['parameter', 'default', 'value', 'what it is'], rows);
}

/** Every body, field by field. */
export function bodyTables(): string {
  return Object.entries(DOCUMENT.components.schemas)
    .map(([name, { title = '', description = '', properties = {} }]) => {
      const rows = Object.entries(properties).map(([field, schema]) => [
        code(field),
        '$ref' in schema ? linkTo(schema) : typeOf(schema),
        '$ref' in schema ? '' : (schema.description ?? ''),
      ]);
      const text = `${title}. ${description}`;
      return `### ${name}\n\n${text}\n\n${table(['field', 'value', 'what it is'], rows)}`;
    })
    .join('\n\n');
}

/** The fields of each schema, by its name. */
export function schemaFields(): Map<string, readonly string[]> {
  const schemas = Object.entries(DOCUMENT.components.schemas);
  return new Map(schemas.map(([name, { properties = {} }]) => [name, Object.keys(properties)]));
}

function typeOf(schema: Schema): string {
  const { type = [], format, pattern, items, minimum, maximum } = schema;
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  const values = schema.enum;
  if (values !== undefined && values.length <= MOST_VALUES) {
    return values.map((value) => code(JSON.stringify(value))).join(', ');
  }
  if (items !== undefined) return `array of ${'$ref' in items ? linkTo(items) : typeOf(items)}`;
  const name = [type].flat().join(' or ');
  const range = maximum === undefined ? [] : [`${String(minimum ?? 0)} to ${String(maximum)}`];
  return [
    name,
    ...range,
    ...(format === undefined ? [] : [format]),
    ...(pattern === undefined ? [] : [code(pattern)]),
  ]
    .filter((part) => part !== '')
    .join(', ');
}

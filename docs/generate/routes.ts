import { PROBLEMS } from '../../src/server/problem.js';
import { DOCUMENT, linkTo, nameOf, type Operation, type Reference, type Response } from './document.js';
import { code, table } from './markdown.js';

/** Every route: what it is for, what it takes, what it answers. */
export function routeList(): string {
  const operations = Object.entries(DOCUMENT.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      title: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
  const everywhere = commonStatuses(operations.map(({ operation }) => operation));
  return operations
    .map(({ title, operation }) => describeOperation(title, operation, everywhere))
    .join('\n\n');
}

/** The statuses with a problem that any request can meet. */
function commonStatuses(operations: readonly Operation[]): Set<string> {
  const all = operations.map(({ responses }) => new Set(Object.keys(responses)));
  return new Set(
    [...(all[0] ?? [])].filter((status) => status !== '200' && all.every((each) => each.has(status))),
  );
}

function describeOperation(title: string, operation: Operation, everywhere: ReadonlySet<string>): string {
  const { summary, description, parameters, requestBody, responses } = operation;
  const takes = [
    ...parameters.map((parameter) => code(nameOf(parameter))),
    ...(requestBody === undefined ? [] : [`body ${contentOf(requestBody)}`]),
  ];
  const rows = Object.entries(responses)
    .filter(([status]) => !everywhere.has(status))
    .map(([status, response]) => [
      status,
      ...('$ref' in response ? aProblem(status, response) : anAnswer(response)),
    ]);
  return [
    `### ${code(title)}`,
    `${summary}. ${description}`,
    `Takes: ${takes.length === 0 ? 'nothing' : takes.join(', ')}.`,
    table(['status', 'body', 'when'], rows),
  ].join('\n\n');
}

function anAnswer(response: Response): string[] {
  return [contentOf(response), response.description.replace(/\.$/, '')];
}

/** Its codes are described elsewhere. */
function aProblem(status: string, reference: Reference): string[] {
  const response = DOCUMENT.components.responses[nameOf(reference)];
  if (response === undefined) throw new Error(`${reference.$ref} leads nowhere`);
  const codes = Object.entries(PROBLEMS).flatMap(([name, each]) =>
    String(each.status) === status ? [code(name)] : [],
  );
  return [contentOf(response), codes.join(', ')];
}

function contentOf({ content }: Response): string {
  if (content === undefined) return 'none';
  return Object.entries(content)
    .map(([contentType, { schema, 'x-events': events }]) => {
      const parts = events === undefined ? [schema] : Object.values(events);
      const links = parts.flatMap((part) => ('$ref' in part ? [linkTo(part)] : []));
      return [...links, code(contentType)].join(' ');
    })
    .join(', ');
}

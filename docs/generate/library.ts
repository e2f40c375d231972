import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { code, table, readable } from './markdown.js';
import { schemaFields } from './bodies.js';

/** The package as its users get it. */
const ENTRY = fileURLToPath(new URL('../../dist/index.d.ts', import.meta.url));

interface Export {
  readonly name: string;
  readonly text: string;
  readonly throws: readonly string[];
  readonly declaration: ts.Declaration;
  readonly type: ts.Type;
}

/** Everything that the package exports: what can be called first, then the types; bodies of the socket are named only. */
export function libraryReference(): string {
  const program = ts.createProgram([ENTRY], {
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const exports = exportsOf(program, checker);
  const bodies = exports.flatMap((each) => {
    const schema = schemaLike(each.type);
    return schema === undefined ? [] : [{ ...each, schema }];
  });
  const others = exports.filter(({ name }) => bodies.every((body) => body.name !== name));
  const isValue = ({ declaration }: Export): boolean =>
    ts.isFunctionDeclaration(declaration) || ts.isClassDeclaration(declaration);
  const sections = [...others.filter(isValue), ...others.filter((each) => !isValue(each))].map(describe);
  const rows = bodies.map(({ name, schema, text }) => [
    code(name),
    `[${schema}](#${schema.toLowerCase()})`,
    text,
  ]);
  const bodyTypes = `### Bodies of the socket\n\n${table(['type', 'fields', 'what it is'], rows)}`;
  return [...sections, bodyTypes].join('\n\n');
}

function exportsOf(program: ts.Program, checker: ts.TypeChecker): Export[] {
  const entry = program.getSourceFile(ENTRY);
  const module = entry && checker.getSymbolAtLocation(entry);
  if (module === undefined) throw new Error(`${ENTRY} is not there: run \`npm run build\``);
  return checker.getExportsOfModule(module).map((exported) => {
    const symbol = checker.getAliasedSymbol(exported);
    const [declaration] = symbol.declarations ?? [];
    if (declaration === undefined) throw new Error(`${exported.name} leads nowhere`);
    const text = ts.displayPartsToString(symbol.getDocumentationComment(checker));
    if (text === '') throw new Error(`${exported.name} has no doc comment`);
    const throws = symbol
      .getJsDocTags(checker)
      .filter((tag) => tag.name === 'throws')
      .map((tag) => ts.displayPartsToString(tag.text).replace(/\s+/g, ' '));
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    return { name: exported.name, text: readable(text), throws, declaration, type };
  });
}

function describe({ name, text, throws, declaration, type }: Export): string {
  const failures = throws.map((reason) => `- Throws ${reason}`).join('\n');
  return [`### ${name}`, text, failures, signature(declaration, type)].join('\n\n');
}

/** As it is declared; of codes, all that there are. */
function signature(declaration: ts.Declaration, type: ts.Type): string {
  const values = type.isUnion() ? type.types.filter((each) => each.isStringLiteral()) : [];
  if (type.isUnion() && values.length === type.types.length) {
    const names = values.map(({ value }) => code(`'${value}'`)).sort();
    return `One of ${names.join(', ')}.`;
  }
  return `\`\`\`ts\n${readable(declaration.getText()).replace(/^export (declare )?/, '')}\n\`\`\``;
}

/** The schema of a body on the socket with exactly the fields of this type. */
function schemaLike(type: ts.Type): string | undefined {
  const fields = type.getProperties().map(({ name }) => name);
  if (type.isUnion() || fields.length === 0) return undefined;
  const match = [...schemaFields()].find(
    ([, names]) => names.length === fields.length && names.every((name) => fields.includes(name)),
  );
  return match?.[0];
}

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

type Described = readonly [name: string, description: string];

const SRC = new URL('../../src/', import.meta.url);

/** The literals of a union type that have a comment of their own, with it. */
export function describedLiterals(file: string, typeName: string): Described[] {
  const source = parse(file);
  const type = find(source, ts.isTypeAliasDeclaration, typeName).type;
  if (!ts.isUnionTypeNode(type)) throw new Error(`${typeName} is no union`);
  let end = type.pos;
  return type.types.flatMap((member) => {
    // The comment stands before the bar, which is part of no member.
    const comment = /\/\*\*(.*?)\*\//s.exec(source.text.slice(end, member.getStart(source)))?.[1];
    end = member.end;
    if (comment === undefined || !ts.isLiteralTypeNode(member) || !ts.isStringLiteral(member.literal))
      return [];
    return [[member.literal.text, comment.trim()] as const];
  });
}

/** The properties of an interface, with their comments. */
export function describedProperties(file: string, interfaceName: string): Described[] {
  const source = parse(file);
  return find(source, ts.isInterfaceDeclaration, interfaceName).members.map((member) => {
    const [comment] = ts.getJSDocCommentsAndTags(member);
    const text =
      comment !== undefined && ts.isJSDoc(comment) ? ts.getTextOfJSDocComment(comment.comment) : undefined;
    if (text === undefined) throw new Error(`${interfaceName}: ${member.getText(source)} has no comment`);
    return [member.name?.getText(source) ?? '', text] as const;
  });
}

function parse(file: string): ts.SourceFile {
  const path = fileURLToPath(new URL(file, SRC));
  return ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
}

function find<T extends ts.DeclarationStatement>(
  source: ts.SourceFile,
  isOne: (node: ts.Node) => node is T,
  name: string,
): T {
  const found = source.statements.filter(isOne).find((statement) => statement.name?.getText(source) === name);
  if (found === undefined) throw new Error(`${source.fileName} declares no ${name}`);
  return found;
}

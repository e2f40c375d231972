import { describeRoutes } from '../../src/server/openapi.js';
import { ROUTES } from '../../src/server/routes.js';
import { readVersion } from '../../src/version.js';

/** What the daemon says of itself at /v1/openapi.json. */
export const DOCUMENT = JSON.parse(JSON.stringify(describeRoutes(ROUTES, readVersion()))) as Document;

/** As much of an OpenAPI document as the daemon's own has. */
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly parameters: Readonly<Record<string, Parameter>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

export interface Operation {
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly Reference[];
  readonly requestBody?: Response;
  readonly responses: Readonly<Record<string, Response | Reference>>;
}

export interface Response {
  readonly description: string;
  readonly content?: Readonly<Record<string, Content>>;
}

interface Content {
  readonly schema: Schema | Reference;
  readonly 'x-events'?: Readonly<Record<string, Reference>>;
}

interface Parameter {
  readonly description: string;
  readonly schema: Schema;
}

export interface Reference {
  readonly $ref: string;
}

export interface Schema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: string | number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema | Reference;
  readonly properties?: Readonly<Record<string, Schema | Reference>>;
}

/** A link to the table of a body. */
export function linkTo(reference: Reference): string {
  const name = nameOf(reference);
  return `[${name}](#${name.toLowerCase()})`;
}

/** The name under which the document has something. */
export function nameOf({ $ref }: Reference): string {
  return $ref.slice($ref.lastIndexOf('/') + 1);
}

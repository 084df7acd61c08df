// The interface as OpenAPI describes it, made of the schemas that requests are checked by; and the methods of each path.

import { toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import {
  entitiesResponse,
  entityRequest,
  entityResponse,
  errorResponse,
  healthResponse,
  linkResponse,
  mentionRequest,
  mentionsRequest,
  putResponse,
  readyResponse,
} from './schemas.ts';

/** One way to ask. */
export interface Operation {
  summary: string;
  /** Whether it needs the token, where there is one. */
  isOpen?: boolean;
  parameters?: { name: string; in: 'path' | 'query'; description: string }[];
  /** Any of these, as JSON. */
  requests?: GenericSchema[];
  /** The fields of a form that may be sent instead. */
  form?: string[];
  /** What it answers: a schema for JSON, else what there is. */
  responses: Record<number, { description: string; schema?: GenericSchema; type?: string }>;
}

const id = [{ name: 'id', in: 'path' as const, description: 'What the knowledge base calls it' }];
const wrong = (description: string) => ({ description, schema: errorResponse });
/** What a request with a body may be answered. */
const refusals = {
  400: wrong('The body is not JSON or no form'),
  408: wrong('The body did not come in time'),
  413: wrong('The body, an image or its pixels are too large'),
  415: wrong('The body is neither JSON nor a form'),
  422: wrong('A field is missing or not what was expected; an image cannot be read'),
};
/** What any piece of work may be answered. */
const busy = {
  429: wrong('Too much to do; Retry-After says when to try again'),
  503: wrong('The device was lost and another is being opened, or the server stops; see Retry-After'),
  504: wrong('The deadline came first'),
};

/** All operations by path and method. */
export const operations: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  '/link': {
    post: {
      summary: 'Links one or many mentions to entities of the knowledge base',
      requests: [mentionRequest, mentionsRequest],
      form: ['word', 'sentence', 'image', 'top', 'candidates', 'threshold'],
      responses: {
        200: { description: 'The best entities of each mention', schema: linkResponse },
        ...refusals,
        ...busy,
      },
    },
  },
  '/entities': {
    get: {
      summary: 'Entities that a name may mean: those that have it, or else nearly; at most 100',
      parameters: [{ name: 'name', in: 'query', description: 'A name, an alias, or one mistyped' }],
      responses: {
        200: { description: 'The entities', schema: entitiesResponse },
        422: refusals[422],
        ...busy,
      },
    },
  },
  '/entities/{id}': {
    get: {
      summary: 'What is known of an entity',
      parameters: id,
      responses: {
        200: { description: 'The entity', schema: entityResponse },
        404: wrong('There is none'),
        422: refusals[422],
        ...busy,
      },
    },
    put: {
      summary: 'Puts an entity in, in place of one of the same id: mentions are linked to it from now on',
      parameters: id,
      requests: [entityRequest],
      form: ['name', 'aliases', 'description', 'attributes', 'image'],
      responses: {
        200: { description: 'It replaced another, and is on the disk', schema: putResponse },
        201: { description: 'It is new, and is on the disk', schema: putResponse },
        ...refusals,
        ...busy,
      },
    },
    delete: {
      summary: 'Takes an entity out: no mention is linked to it from now on',
      parameters: id,
      responses: {
        204: { description: 'It is gone, and the disk knows' },
        404: wrong('There is none'),
        422: refusals[422],
        ...busy,
      },
    },
  },
  '/health': {
    get: {
      summary: 'Whether the server runs',
      isOpen: true,
      responses: { 200: { description: 'It does', schema: healthResponse } },
    },
  },
  '/ready': {
    get: {
      summary: 'Whether mentions can be linked',
      isOpen: true,
      responses: {
        200: { description: 'They can', schema: readyResponse },
        503: { description: 'Not now: the device was lost, or the server stops', schema: readyResponse },
      },
    },
  },
  '/metrics': {
    get: {
      summary: 'What Prometheus reads',
      responses: { 200: { description: 'Counters, gauges and histograms', type: 'text/plain' } },
    },
  },
  '/openapi.json': {
    get: {
      summary: 'This description',
      responses: { 200: { description: 'OpenAPI 3.1', type: 'application/json' } },
    },
  },
  '/docs': {
    get: {
      summary: 'This description as a page',
      responses: { 200: { description: 'A page', type: 'text/html' } },
    },
  },
};

/** The document. `version`: the package's; `needsToken`: whether requests need a bearer token. */
export function openApiDocument(version: string, needsToken: boolean) {
  const paths = Object.entries(operations).map(([path, methods]) => [
    path,
    Object.fromEntries(
      Object.entries(methods).map(([method, operation]) => [method, described(operation, needsToken)]),
    ),
  ]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'dsmip',
      version,
      description: 'Links mentions, a word in a sentence with or without a picture, to entities.',
    },
    paths: Object.fromEntries(paths) as Record<string, Record<string, object>>,
    ...(needsToken ? { components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } } } : {}),
  };
}

function described(
  { summary, isOpen = false, parameters = [], requests = [], form = [], responses }: Operation,
  needsToken: boolean,
) {
  const isGuarded = needsToken && !isOpen;
  const all = isGuarded ? { ...responses, 401: wrong('The token is missing or wrong') } : responses;
  return {
    summary,
    ...(isGuarded ? { security: [{ token: [] }] } : {}),
    ...(parameters.length === 0
      ? {}
      : { parameters: parameters.map((each) => ({ ...each, required: true, schema: { type: 'string' } })) }),
    ...(requests.length === 0 ? {} : { requestBody: requestBody(requests, form) }),
    responses: Object.fromEntries(
      Object.entries(all).map(([status, { description, schema, type = 'application/json' }]) => {
        const content = schema ? { [type]: { schema: jsonSchema(schema) } } : { [type]: {} };
        return [status, { description, ...(status === '204' ? {} : { content }) }];
      }),
    ),
  };
}

function requestBody(requests: readonly GenericSchema[], form: readonly string[]) {
  const schemas = requests.map(jsonSchema);
  const fields = form.map((name) => [
    name,
    name === 'image' ? { type: 'string', format: 'binary' } : { type: 'string' },
  ]);
  return {
    required: true,
    content: {
      'application/json': { schema: schemas.length === 1 ? schemas[0] : { anyOf: schemas } },
      'multipart/form-data': { schema: { type: 'object', properties: Object.fromEntries(fields) } },
    },
  };
}

/** What a schema says beyond JSON schema's words is said by its messages. */
function jsonSchema(schema: GenericSchema): object {
  const { $schema: _, ...rest } = toJsonSchema(schema, {
    errorMode: 'ignore',
    typeMode: 'input',
    // The one custom check is of an object that is no array.
    overrideSchema: ({ valibotSchema }) =>
      valibotSchema.type === 'custom'
        ? { type: 'object', additionalProperties: { type: 'string' } }
        : undefined,
  });
  return rest;
}

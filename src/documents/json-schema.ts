import type { Key, ObjectShape, Shape } from './shape.ts'

export type JsonSchema = { readonly [keyword: string]: unknown }

/** The JSON Schema (draft 07) of a shape. */
export function toJsonSchema(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case 'text':
      return {
        type: 'string',
        ...(shape.pattern === undefined ? {} : { pattern: shape.pattern }),
        minLength: 1,
        ...(shape.maxLength === undefined ? {} : { maxLength: shape.maxLength }),
      }
    case 'integer':
      return {
        ...(shape.word === undefined
          ? { type: 'integer' }
          : { type: ['integer', 'string'], pattern: `^${shape.word}$` }),
        minimum: shape.minimum,
        maximum: shape.maximum,
      }
    case 'choice':
      return { type: 'string', enum: shape.values }
    case 'list':
      return {
        type: 'array',
        items: toJsonSchema(shape.items),
        ...(shape.minItems === undefined ? {} : { minItems: shape.minItems }),
      }
    case 'map':
      return { type: 'object', additionalProperties: toJsonSchema(shape.values) }
    case 'object':
      return objectSchema(shape)
  }
}

/** The published form: with a title and where it is defined. */
export function toPublishedSchema(shape: ObjectShape, title: string): JsonSchema {
  return { $schema: 'http://json-schema.org/draft-07/schema#', title, ...toJsonSchema(shape) }
}

function objectSchema(shape: ObjectShape): JsonSchema {
  const keys = Object.entries(shape.keys)
  const requiredKeys = keys.filter(([, key]) => key.presence === 'required').map(([name]) => name)
  return {
    type: 'object',
    additionalProperties: false,
    ...(requiredKeys.length === 0 ? {} : { required: requiredKeys }),
    properties: Object.fromEntries(keys.map(([name, key]) => [name, keySchema(key)])),
  }
}

function keySchema(key: Key): JsonSchema {
  return {
    description: key.description,
    ...toJsonSchema(key.shape),
    ...(key.default === undefined ? {} : { default: key.default }),
  }
}

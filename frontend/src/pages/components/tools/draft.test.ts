import { describe, expect, it } from 'vitest'

import { draftOf, emptyDraft, read, type Problems } from './draft'
import { shapeOf } from './shape'

const U64 = { anyOf: [{ type: 'integer', minimum: 0, maximum: 2 ** 64 }, { type: 'string', pattern: '^(0|[1-9][0-9]{0,19})$' }] }
const FLOAT = { anyOf: [{ type: 'number' }, { enum: ['NaN', 'Infinity', '-Infinity'] }] }
const option = (of: object) => ({ anyOf: [{ type: 'null' }, of] })
const closed = (properties: Record<string, object>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})

function roundtrip(schema: object, value: unknown) {
  const shape = shapeOf(schema)
  const problems: Problems = {}
  const found = read(shape, draftOf(shape, value), problems, 'x', null)
  expect(problems).toEqual({})
  return found
}

describe('every shape of a tool’s schema', () => {
  it.each([
    ['text', { type: 'string' }, 'a\nb'],
    ['a character', { type: 'string', minLength: 1, maxLength: 1 }, '😀'],
    ['bytes', { type: 'string', contentEncoding: 'base64' }, 'aGVsbG8='],
    ['a boolean', { type: 'boolean' }, true],
    ['an integer', { type: 'integer', minimum: 0, maximum: 255 }, 200],
    ['64 bits', U64, 42],
    ['64 bits beyond doubles', U64, '18446744073709551615'],
    ['a float', FLOAT, -1.5],
    ['a float that is none', FLOAT, 'NaN'],
    ['an enum', { type: 'string', enum: ['a', 'b'] }, 'b'],
    ['flags', { type: 'array', items: { type: 'string', enum: ['r', 'w'] }, uniqueItems: true }, ['w']],
    ['a list', { type: 'array', items: { type: 'string' } }, ['a', 'b']],
    ['a list of options', { type: 'array', items: option({ type: 'string' }) }, ['a', null]],
    ['a tuple', { type: 'array', prefixItems: [{ type: 'string' }, option({ type: 'boolean' })], items: false }, ['a', null]],
    ['a record', closed({ a: { type: 'string' }, b: FLOAT }), { a: '', b: 0 }],
    ['an option', option({ type: 'string' }), 'x'],
    ['no option', option({ type: 'string' }), null],
    ['an option in an option', option(closed({ some: option({ type: 'string' }) })), { some: 'x' }],
    ['a variant', { oneOf: [closed({ tag: { const: 'a' } }), closed({ tag: { const: 'b' }, val: { type: 'string' } })] }, { tag: 'b', val: 'x' }],
    ['a variant without payload', { oneOf: [closed({ tag: { const: 'a' } })] }, { tag: 'a' }],
    ['a result', { oneOf: [closed({ ok: { type: 'null' } }), closed({ err: { type: 'string' } })] }, { err: 'no' }],
    ['an empty result', { oneOf: [closed({ ok: { type: 'null' } }), closed({ err: { type: 'string' } })] }, { ok: null }],
    ['what is none of them', { type: ['string', 'number'] }, { any: [1] }],
  ])('%s', (_, schema, value) => expect(roundtrip(schema, value)).toEqual(value))
})

describe('what is wrong is said, with its place', () => {
  it.each([
    [{ type: 'integer', minimum: 0, maximum: 255 }, '256', 'At most 255.'],
    [{ type: 'integer', minimum: 0, maximum: 255 }, '-1', 'At least 0.'],
    [{ type: 'integer', minimum: 0, maximum: 255 }, '1.5', 'This is not a whole number.'],
    [{ type: 'integer' }, '', 'A number is needed.'],
    [FLOAT, 'abc', 'This is not a number.'],
    [{ type: 'string', minLength: 1, maxLength: 1 }, 'ab', 'Exactly one character is needed.'],
    [{ type: 'string', contentEncoding: 'base64' }, '!', 'This is not base64. Choose a file, or give its bytes as base64.'],
  ])('%j', (schema, text, said) => {
    const shape = shapeOf(closed({ one: schema }))
    const draft = emptyDraft(shape)
    if (draft.kind === 'record') draft.fields.one = { kind: 'string', text }
    const problems: Problems = {}
    read(shape, draft, problems)
    expect(problems).toEqual({ one: said })
  })

  it('leaves out options of a record that are not given', () => {
    const shape = shapeOf({ type: 'object', properties: { a: option({ type: 'string' }) }, required: [] })
    expect(read(shape, emptyDraft(shape), {})).toEqual({})
  })
})

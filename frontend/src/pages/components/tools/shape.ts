/**
 * The JSON Schemas of tools, as the few shapes that they have (they are made from WIT types: see
 * `wassette.sandbox.schema`). What is none of them is edited as JSON.
 */
export type Schema = Record<string, unknown>

export type Shape =
  | { kind: 'text' }
  | { kind: 'char' }
  | { kind: 'bytes' }
  | { kind: 'bool' }
  | { kind: 'integer'; minimum?: number; maximum?: number; wide: boolean }
  | { kind: 'float' }
  | { kind: 'enum'; options: string[] }
  | { kind: 'flags'; options: string[] }
  | { kind: 'list'; of: Shape }
  | { kind: 'tuple'; items: Shape[] }
  | { kind: 'record'; fields: Field[] }
  /** One of several; `key` is the member that holds the payload. */
  | { kind: 'variant'; cases: Case[]; result: boolean }
  | { kind: 'option'; of: Shape; wrapped: boolean }
  | { kind: 'nothing' }
  | { kind: 'impossible'; why: string }
  | { kind: 'json' }

export interface Field {
  name: string
  shape: Shape
  description: string
  required: boolean
}

export interface Case {
  tag: string
  payload: Shape | null
}

export function shapeOf(schema: unknown): Shape {
  const one = (typeof schema === 'object' && schema !== null ? schema : {}) as Schema
  if ('not' in one) return { kind: 'impossible', why: String(one.description ?? 'it cannot be given as JSON') }
  if (Array.isArray(one.anyOf)) return ofAny(one.anyOf as Schema[])
  if (Array.isArray(one.oneOf)) return ofOne(one.oneOf as Schema[])
  switch (one.type) {
    case 'string':
      if (Array.isArray(one.enum)) return { kind: 'enum', options: one.enum.map(String) }
      if (one.contentEncoding === 'base64') return { kind: 'bytes' }
      return one.maxLength === 1 ? { kind: 'char' } : { kind: 'text' }
    case 'boolean':
      return { kind: 'bool' }
    case 'integer':
      return { kind: 'integer', minimum: number(one.minimum), maximum: number(one.maximum), wide: false }
    case 'number':
      return { kind: 'float' }
    case 'null':
      return { kind: 'nothing' }
    case 'array':
      return ofArray(one)
    case 'object':
      return ofObject(one)
    default:
      return { kind: 'json' }
  }
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function ofAny(options: Schema[]): Shape {
  const [first, second] = options
  if (options.length !== 2 || !first || !second) return { kind: 'json' }
  if (first.type === 'null') {
    const inner = closedMember(second, 'some')
    return inner ? { kind: 'option', of: shapeOf(inner), wrapped: true } : { kind: 'option', of: shapeOf(second), wrapped: false }
  }
  if (first.type === 'integer' && second.type === 'string')
    return { kind: 'integer', minimum: number(first.minimum), maximum: number(first.maximum), wide: true }
  if (first.type === 'number' && Array.isArray(second.enum)) return { kind: 'float' }
  return { kind: 'json' }
}

function ofOne(options: Schema[]): Shape {
  const cases: Case[] = []
  let result = true
  for (const option of options) {
    const properties = option.properties as Record<string, Schema> | undefined
    const tag = properties?.tag?.const
    if (typeof tag === 'string') {
      result = false
      cases.push({ tag, payload: properties?.val ? shapeOf(properties.val) : null })
      continue
    }
    const [name] = Object.keys(properties ?? {})
    if (name !== 'ok' && name !== 'err') return { kind: 'json' }
    cases.push({ tag: name, payload: shapeOf(properties?.[name]) })
  }
  return { kind: 'variant', cases, result }
}

function ofArray(one: Schema): Shape {
  if (Array.isArray(one.prefixItems)) return { kind: 'tuple', items: one.prefixItems.map(shapeOf) }
  const of = shapeOf(one.items)
  if (one.uniqueItems === true && of.kind === 'enum') return { kind: 'flags', options: of.options }
  return { kind: 'list', of }
}

function ofObject(one: Schema): Shape {
  if (typeof one.properties !== 'object' || one.properties === null) return { kind: 'json' }
  const required = new Set(Array.isArray(one.required) ? one.required.map(String) : [])
  const fields = Object.entries(one.properties as Record<string, Schema>).map(([name, schema]) => ({
    name,
    shape: shapeOf(schema),
    description: typeof schema?.description === 'string' ? schema.description : '',
    required: required.has(name),
  }))
  return { kind: 'record', fields }
}

function closedMember(schema: Schema, name: string): unknown {
  const properties = schema.properties as Record<string, unknown> | undefined
  return properties && Object.keys(properties).join() === name ? properties[name] : undefined
}

/** In a word or two, for the corner of a field. */
export function shapeWords(shape: Shape): string {
  switch (shape.kind) {
    case 'text':
      return 'text'
    case 'char':
      return 'one character'
    case 'bytes':
      return 'bytes'
    case 'bool':
      return 'yes or no'
    case 'integer': {
      const { minimum, maximum } = shape
      if (maximum !== undefined && minimum !== undefined && maximum <= 65_535) return `${minimum} to ${maximum}`
      return minimum === 0 ? 'number from 0' : 'whole number'
    }
    case 'float':
      return 'number'
    case 'enum':
    case 'variant':
      return 'one of'
    case 'flags':
      return 'any of'
    case 'list':
      return 'list'
    case 'tuple':
    case 'record':
      return 'group'
    case 'option':
      return shapeWords(shape.of)
    case 'nothing':
      return 'nothing'
    case 'impossible':
      return 'not available'
    case 'json':
      return 'JSON'
  }
}

/**
 * What a person has put into a form so far: it need not be right yet. `read` makes the arguments of it, or
 * says what is wrong and where; `draftOf` is the way back.
 */
import type { Shape } from './shape'

export type Draft =
  | { kind: 'string'; text: string }
  | { kind: 'bool'; on: boolean }
  | { kind: 'flags'; chosen: string[] }
  | { kind: 'list'; items: { key: number; draft: Draft }[] }
  | { kind: 'tuple'; items: Draft[] }
  | { kind: 'record'; fields: Record<string, Draft> }
  | { kind: 'variant'; tag: string; payloads: Record<string, Draft> }
  | { kind: 'option'; given: boolean; draft: Draft }
  | { kind: 'nothing' }

let keys = 0

export function listItem(draft: Draft) {
  return { key: ++keys, draft }
}

export function emptyDraft(shape: Shape): Draft {
  switch (shape.kind) {
    case 'bool':
      return { kind: 'bool', on: false }
    case 'flags':
      return { kind: 'flags', chosen: [] }
    case 'list':
      return { kind: 'list', items: [] }
    case 'tuple':
      return { kind: 'tuple', items: shape.items.map(emptyDraft) }
    case 'record':
      return { kind: 'record', fields: Object.fromEntries(shape.fields.map((field) => [field.name, emptyDraft(field.shape)])) }
    case 'variant':
      return {
        kind: 'variant',
        tag: shape.cases[0]?.tag ?? '',
        payloads: Object.fromEntries(shape.cases.flatMap((one) => (one.payload ? [[one.tag, emptyDraft(one.payload)]] : []))),
      }
    case 'option':
      return { kind: 'option', given: false, draft: emptyDraft(shape.of) }
    case 'nothing':
    case 'impossible':
      return { kind: 'nothing' }
    case 'enum':
      return { kind: 'string', text: shape.options[0] ?? '' }
    default:
      return { kind: 'string', text: '' }
  }
}

export function draftOf(shape: Shape, value: unknown): Draft {
  const empty = emptyDraft(shape)
  if (value === undefined) return empty
  switch (shape.kind) {
    case 'bool':
      return { kind: 'bool', on: value === true }
    case 'flags':
      return { kind: 'flags', chosen: Array.isArray(value) ? value.map(String) : [] }
    case 'list':
      return { kind: 'list', items: Array.isArray(value) ? value.map((one) => listItem(draftOf(shape.of, one))) : [] }
    case 'tuple':
      return { kind: 'tuple', items: shape.items.map((item, index) => draftOf(item, (value as unknown[])?.[index])) }
    case 'record': {
      const members = object(value)
      return {
        kind: 'record',
        fields: Object.fromEntries(shape.fields.map((field) => [field.name, draftOf(field.shape, members[field.name])])),
      }
    }
    case 'variant': {
      if (empty.kind !== 'variant') return empty
      const members = object(value)
      const tag = shape.result ? Object.keys(members)[0] : members.tag
      const found = shape.cases.find((one) => one.tag === tag)
      if (!found) return empty
      const payload = shape.result ? members[found.tag] : members.val
      return {
        ...empty,
        tag: found.tag,
        payloads: { ...empty.payloads, ...(found.payload ? { [found.tag]: draftOf(found.payload, payload) } : {}) },
      }
    }
    case 'option': {
      if (value === null) return empty
      const inner = shape.wrapped ? object(value).some : value
      return { kind: 'option', given: true, draft: draftOf(shape.of, inner) }
    }
    case 'nothing':
    case 'impossible':
      return empty
    case 'json':
      return { kind: 'string', text: JSON.stringify(value, null, 2) }
    default:
      return { kind: 'string', text: typeof value === 'string' ? value : String(value) }
  }
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** By the path of what is wrong: `place/lat`. */
export type Problems = Record<string, string>

/** The value; `absent` for an option without one (members of objects are left out, others are null);
 * what is wrong goes into `problems`. */
export function read(shape: Shape, draft: Draft, problems: Problems, path = '', absent?: null): unknown {
  const at = (name: string | number) => (path ? `${path}/${name}` : String(name))
  switch (shape.kind) {
    case 'bool':
      return draft.kind === 'bool' && draft.on
    case 'flags':
      return draft.kind === 'flags' ? shape.options.filter((one) => draft.chosen.includes(one)) : []
    case 'list':
      return draft.kind === 'list'
        ? draft.items.map((item, index) => read(shape.of, item.draft, problems, at(index), null))
        : []
    case 'tuple':
      return shape.items.map((item, index) =>
        read(item, (draft.kind === 'tuple' && draft.items[index]) || emptyDraft(item), problems, at(index), null),
      )
    case 'record': {
      const value: Record<string, unknown> = {}
      for (const field of shape.fields) {
        const inner = (draft.kind === 'record' && draft.fields[field.name]) || emptyDraft(field.shape)
        const found = read(field.shape, inner, problems, at(field.name))
        if (found !== undefined) value[field.name] = found
      }
      return value
    }
    case 'variant': {
      if (draft.kind !== 'variant') return undefined
      const found = shape.cases.find((one) => one.tag === draft.tag)
      if (!found) {
        problems[path] = 'Choose one.'
        return undefined
      }
      const inner = draft.payloads[found.tag]
      const payload = found.payload && inner ? read(found.payload, inner, problems, at(found.tag), null) : undefined
      if (shape.result) return { [found.tag]: payload ?? null }
      return found.payload ? { tag: found.tag, val: payload } : { tag: found.tag }
    }
    case 'option': {
      if (draft.kind !== 'option' || !draft.given) return absent
      const inner = read(shape.of, draft.draft, problems, path)
      return shape.wrapped ? { some: inner } : inner
    }
    case 'nothing':
      return null
    case 'impossible':
      problems[path] = `It cannot be given: ${shape.why}.`
      return undefined
    default:
      return scalar(shape, draft.kind === 'string' ? draft.text : '', problems, path)
  }
}

function scalar(shape: Shape, text: string, problems: Problems, path: string): unknown {
  switch (shape.kind) {
    case 'integer':
      return integer(shape, text.trim(), problems, path)
    case 'float': {
      const trimmed = text.trim()
      if (['NaN', 'Infinity', '-Infinity'].includes(trimmed)) return trimmed
      if (trimmed === '' || !Number.isFinite(Number(trimmed))) {
        problems[path] = trimmed === '' ? 'A number is needed.' : 'This is not a number.'
        return undefined
      }
      return Number(trimmed)
    }
    case 'char':
      if ([...text].length !== 1) problems[path] = 'Exactly one character is needed.'
      return text
    case 'enum':
      if (!shape.options.includes(text)) problems[path] = 'Choose one.'
      return text
    case 'bytes':
      if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.trim()))
        problems[path] = 'This is not base64. Choose a file, or give its bytes as base64.'
      return text.trim()
    case 'json':
      try {
        return JSON.parse(text) as unknown
      } catch {
        problems[path] = 'This is not JSON.'
        return undefined
      }
    default:
      return text
  }
}

function integer(
  shape: Extract<Shape, { kind: 'integer' }>,
  text: string,
  problems: Problems,
  path: string,
): unknown {
  if (!/^-?\d+$/.test(text)) {
    problems[path] = text === '' ? 'A number is needed.' : 'This is not a whole number.'
    return undefined
  }
  const value = BigInt(text)
  if (shape.minimum !== undefined && value < BigInt(Math.ceil(shape.minimum))) {
    problems[path] = `At least ${shape.minimum}.`
    return undefined
  }
  // Bounds of 64 bits do not survive being a number in JSON; the backend checks those.
  if (shape.maximum !== undefined && Number.isSafeInteger(shape.maximum) && value > BigInt(shape.maximum)) {
    problems[path] = `At most ${shape.maximum.toLocaleString('en')}.`
    return undefined
  }
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value.toString()
}

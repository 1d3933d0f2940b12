// What of the record is shown. The address has it, so that going back, reloading and sending a
// link keep it.

export const KINDS = ['call', 'access', 'decision', 'change'] as const
export const OUTCOMES = ['ok', 'error', 'allowed', 'denied', 'cancelled'] as const

export type Kind = (typeof KINDS)[number]
export type Outcome = (typeof OUTCOMES)[number]

export interface Filters {
  kind?: Kind
  outcome?: Outcome
  component?: string
  client?: string
  tool?: string
  q?: string
}

const TEXTS = ['component', 'client', 'tool', 'q'] as const
const MAX_TEXT = 200 // as the server has it

/** From an address. What is not known there is left out: a link may be of another version. */
export function fromAddress(search: URLSearchParams): Filters {
  const found: Filters = {}
  const kind = search.get('kind')
  if (KINDS.some((one) => one === kind)) found.kind = kind as Kind
  const outcome = search.get('outcome')
  if (OUTCOMES.some((one) => one === outcome)) found.outcome = outcome as Outcome
  for (const name of TEXTS) {
    const value = search.get(name)?.slice(0, MAX_TEXT)
    if (value) found[name] = value
  }
  return found
}

/** For an address; empty if nothing is filtered. */
export function toAddress(filters: Filters): URLSearchParams {
  const search = new URLSearchParams()
  for (const name of ['kind', 'outcome', ...TEXTS] as const) {
    const value = filters[name]
    if (value) search.set(name, value)
  }
  return search
}

export function isFiltered(filters: Filters): boolean {
  return toAddress(filters).size > 0
}

export interface Filterable {
  kind: string
  outcome: string
  what: string
  component?: string | null
  client?: string | null
  tool?: string | null
  reason?: string | null
}

/** Whether a new entry belongs to what is shown; as the server decides it. */
export function fits(entry: Filterable, filters: Filters): boolean {
  for (const name of ['kind', 'outcome', 'component', 'client', 'tool'] as const) {
    const wanted = filters[name]
    if (wanted !== undefined && (entry[name] ?? '') !== wanted) return false
  }
  if (filters.q === undefined) return true
  const text = filters.q.toLowerCase()
  return [entry.what, entry.reason ?? ''].some((one) => one.toLowerCase().includes(text))
}

// The questions that wait, in what order, and which one is before the person. Pure: the page feeds
// it what the server says and draws what comes out.

import type { Schemas } from '$lib/api/client'

export type Approval = Schemas['schemas']['Approval']

/** What this needs of a question. */
export type Waiting = Pick<
  Approval,
  'id' | 'created' | 'kind' | 'component_id' | 'component_digest' | 'session' | 'target'
>

export interface Group<T> {
  key: string
  items: T[]
}

/** Oldest first, each once. */
export function inOrder<T extends Waiting>(items: Iterable<T>): T[] {
  const byId = new Map<string, T>()
  for (const one of items) byId.set(one.id, one)
  return [...byId.values()].sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1))
}

/**
 * What a person would answer in the same way: one component, one client's session, one kind of thing, and
 * for the network the host, for files the directory.
 */
export function groupKey(one: Waiting): string {
  const { verb, target } = one.target
  const alike =
    one.kind === 'network' ? target
    : one.kind === 'storage' ? target.slice(0, target.lastIndexOf('/'))
    : ''
  return JSON.stringify([one.component_id, one.component_digest, one.session, one.kind, verb, alike])
}

/** Groups in the order of their oldest. */
export function groups<T extends Waiting>(items: T[]): Group<T>[] {
  const found = new Map<string, Group<T>>()
  for (const one of items) {
    const key = groupKey(one)
    const group = found.get(key)
    if (group) group.items.push(one)
    else found.set(key, { key, items: [one] })
  }
  return [...found.values()]
}

/** How many wait for a component. */
export function ofComponent<T extends Waiting>(items: T[], id: string | null): T[] {
  return id === null ? [] : items.filter((one) => one.component_id === id)
}

/**
 * Which question is shown after the queue changed. The one that is shown stays as long as it waits:
 * nothing may take its place under the pointer. Otherwise what came after it, of its group first.
 */
export function following<T extends Waiting>(
  before: T[],
  after: T[],
  shown: string | null
): string | null {
  if (after.length === 0) return null
  if (shown === null) return after[0]?.id ?? null
  if (after.some((one) => one.id === shown)) return shown
  const was = before.find((one) => one.id === shown)
  if (was) {
    const same = after.find((one) => groupKey(one) === groupKey(was))
    if (same) return same.id
    const later = after.find((one) => one.created >= was.created)
    if (later) return later.id
  }
  return after[0]?.id ?? null
}

/** The question so many places further in the queue; it does not go round. */
export function step<T extends { id: string }>(items: T[], shown: string | null, by: number): string | null {
  if (items.length === 0) return null
  const at = items.findIndex((one) => one.id === shown)
  if (at < 0) return items[0]?.id ?? null
  const to = Math.min(items.length - 1, Math.max(0, at + by))
  return items[to]?.id ?? null
}

/** What comes over a page by itself: the first question that was not put off. */
export function intruding<T extends Waiting>(items: T[], putOff: ReadonlySet<string>): T | null {
  return items.find((one) => !putOff.has(one.id)) ?? null
}

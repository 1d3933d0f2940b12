// The entries that are in hand: pages from the record, and what comes live in front of them. Pure.

export interface Numbered {
  number: number
}

export interface Timeline<T extends Numbered> {
  /** Newest first, each once. */
  entries: T[]
  /** Came while the reader was further down; shown when they want to. */
  waiting: T[]
  /** Where the next page begins; null at the end of the record. */
  next: string | number | null
}

/** So many are kept: more than anybody reads, few enough to hold. */
export const KEPT = 20_000

export const empty = <T extends Numbered>(): Timeline<T> => ({ entries: [], waiting: [], next: null })

/** The first page. Live entries may have come before it. */
export function opened<T extends Numbered>(
  timeline: Timeline<T>,
  page: T[],
  next: string | number | null
): Timeline<T> {
  const live = [...timeline.waiting, ...timeline.entries]
  return { entries: newestFirst([...live, ...page]), waiting: [], next }
}

/** One more page, older than all before. */
export function extended<T extends Numbered>(
  timeline: Timeline<T>,
  page: T[],
  next: string | number | null
): Timeline<T> {
  return { ...timeline, entries: newestFirst([...timeline.entries, ...page]), next }
}

/**
 * Entries that came. `reading`: the person is further down, so the list must not move under their
 * eyes; the entries wait.
 */
export function arrived<T extends Numbered>(
  timeline: Timeline<T>,
  news: T[],
  reading: boolean
): Timeline<T> {
  if (news.length === 0) return timeline
  if (reading) {
    const known = new Set(timeline.entries.map((one) => one.number))
    const waiting = newestFirst([...news.filter((one) => !known.has(one.number)), ...timeline.waiting])
    return { ...timeline, waiting: waiting.slice(0, KEPT) }
  }
  return trimmed({ ...timeline, entries: newestFirst([...news, ...timeline.entries]) })
}

/** Show those that wait. */
export function caughtUp<T extends Numbered>(timeline: Timeline<T>): Timeline<T> {
  const entries = newestFirst([...timeline.waiting, ...timeline.entries])
  return trimmed({ ...timeline, entries, waiting: [] })
}

function trimmed<T extends Numbered>(timeline: Timeline<T>): Timeline<T> {
  if (timeline.entries.length <= KEPT) return timeline
  const entries = timeline.entries.slice(0, KEPT)
  const last = entries.at(-1)
  return { ...timeline, entries, next: last ? last.number : timeline.next }
}

function newestFirst<T extends Numbered>(entries: T[]): T[] {
  const byNumber = new Map<number, T>()
  for (const one of entries) byNumber.set(one.number, one)
  return [...byNumber.values()].sort((a, b) => b.number - a.number)
}

/** Which rows are drawn: those that can be seen, and some on both sides. */
export function windowed(
  count: number,
  rowHeight: number,
  scrolled: number,
  height: number,
  beyond = 12
): { first: number; last: number } {
  if (count === 0 || rowHeight <= 0) return { first: 0, last: 0 }
  const first = Math.max(0, Math.min(count - 1, Math.floor(scrolled / rowHeight) - beyond))
  const last = Math.min(count, Math.ceil((scrolled + Math.max(height, 0)) / rowHeight) + beyond)
  return { first, last: Math.max(last, first) }
}

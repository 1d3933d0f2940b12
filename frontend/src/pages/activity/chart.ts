// The record's chart as columns for uPlot, and what it says in words for whoever does not see it.

export interface Bucket {
  start: number
  calls: number
  denied: number
  errors: number
  p50?: number | null
  p95?: number | null
}

export const SPANS = {
  hour: { seconds: 3600, buckets: 60, text: 'hour' },
  day: { seconds: 86_400, buckets: 96, text: 'day' },
  week: { seconds: 7 * 86_400, buckets: 84, text: 'week' },
  month: { seconds: 30 * 86_400, buckets: 90, text: '30 days' }
} as const

export type Span = keyof typeof SPANS

/** Whole widths, so that bars do not flicker from one look to the next. */
export function range(span: Span, now: number): { since: number; until: number; buckets: number } {
  const { seconds, buckets } = SPANS[span]
  const width = seconds / buckets
  const until = Math.ceil(now / width) * width
  return { since: until - seconds, until, buckets }
}

export type Columns = [number[], number[], number[], (number | null)[]]

/** x, calls, denied, p95 in milliseconds. */
export function columns(buckets: Bucket[]): Columns {
  return [
    buckets.map((one) => one.start),
    buckets.map((one) => one.calls),
    buckets.map((one) => one.denied),
    buckets.map((one) => (one.p95 == null ? null : one.p95 * 1000))
  ]
}

export interface Totals {
  calls: number
  denied: number
  errors: number
  /** Milliseconds; the slowest bucket's. */
  slowest: number | null
}

export function totals(buckets: Bucket[]): Totals {
  let calls = 0
  let denied = 0
  let errors = 0
  let slowest: number | null = null
  for (const one of buckets) {
    calls += one.calls
    denied += one.denied
    errors += one.errors
    if (one.p95 != null) slowest = Math.max(slowest ?? 0, one.p95 * 1000)
  }
  return { calls, denied, errors, slowest }
}

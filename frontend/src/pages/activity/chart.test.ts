import { describe, expect, it } from 'vitest'

import { columns, range, totals } from './chart'

const buckets = [
  { start: 0, calls: 2, denied: 1, errors: 0, p50: 0.1, p95: 0.25 },
  { start: 60, calls: 0, denied: 0, errors: 0, p50: null, p95: null },
  { start: 120, calls: 5, denied: 0, errors: 2, p50: 0.01, p95: 0.5 }
]

describe('the chart', () => {
  it('has milliseconds, and nothing where nothing ran', () => {
    expect(columns(buckets)).toEqual([
      [0, 60, 120],
      [2, 0, 5],
      [1, 0, 0],
      [250, null, 500]
    ])
  })
  it('says the same in figures', () => {
    expect(totals(buckets)).toEqual({ calls: 7, denied: 1, errors: 2, slowest: 500 })
    expect(totals([])).toEqual({ calls: 0, denied: 0, errors: 0, slowest: null })
  })
  it('has the same stretches while time goes on', () => {
    const one = range('hour', 1_000_000_001)
    const other = range('hour', 1_000_000_010)
    expect(one).toEqual(other)
    expect(one.until - one.since).toBe(3600)
    expect(one.until).toBeGreaterThanOrEqual(1_000_000_001)
  })
})

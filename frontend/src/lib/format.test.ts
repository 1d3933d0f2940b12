import { describe, expect, it } from 'vitest'

import { ago, count, seconds, size } from './format'

describe('numbers have units', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1000, '1.0 KB'],
    [45_123, '45 KB'],
    [999_950, '1.0 MB'],
    [2_345_678, '2.3 MB'],
    [3e12, '3.0 TB'],
  ])('%d bytes', (bytes, said) => expect(size(bytes)).toBe(said))

  it.each([
    [0, 'under 1 ms'],
    [0.034, '34 ms'],
    [0.9996, '1.0 s'],
    [1.25, '1.3 s'],
    [59.6, '1 min'],
    [61, '1 min 1 s'],
    [3600, '1 h'],
    [9000, '2 h 30 min'],
    [200_000, '2 days'],
  ])('%d seconds', (value, said) => expect(seconds(value)).toBe(said))

  it('counts', () => {
    expect(count(1, 'tool')).toBe('1 tool')
    expect(count(1200, 'tool')).toBe('1,200 tools')
  })
})

describe('times are relative', () => {
  const now = Date.UTC(2026, 10, 22, 12, 0, 0)
  it.each([
    [0, 'just now'],
    [-44, 'just now'],
    [-60, '1 min. ago'],
    [-59 * 60, '1 hr. ago'],
    [-3 * 3600, '3 hr. ago'],
    [-86_400, 'yesterday'],
    [20, 'in 20 s'],
    [7200, 'in 2 hr.'],
  ])('%d s', (offset, said) => expect(ago(now / 1000 + offset, now)).toBe(said))
})

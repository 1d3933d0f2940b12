import { describe, expect, it } from 'vitest'

import { asText, when } from './words'

describe('the time of an entry', () => {
  const now = new Date(2026, 4, 5, 18, 0, 0).getTime()
  const at = (...parts: [number, number, number, number, number, number]) => new Date(...parts).getTime() / 1000

  it('is the clock today, and has the day before that', () => {
    expect(when(at(2026, 4, 5, 9, 3, 7), now)).toEqual({ day: '', time: '09:03:07' })
    expect(when(at(2026, 4, 4, 23, 59, 59), now)).toEqual({ day: 'May 4', time: '23:59:59' })
    expect(when(at(2025, 11, 31, 0, 0, 0), now)).toEqual({ day: 'Dec 31, 2025', time: '00:00:00' })
  })
})

it('shows text as it is, and the rest as JSON', () => {
  expect(asText('a\nb')).toBe('a\nb')
  expect(asText({ city: 'Bonn' })).toBe('{\n  "city": "Bonn"\n}')
  expect(asText(null)).toBe('null')
})

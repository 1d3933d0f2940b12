import { describe, expect, it } from 'vitest'

import { directoryName, DURATIONS, inWords, wrong } from './settings'

describe('a number of seconds', () => {
  const [timeout, , idle] = DURATIONS
  if (!timeout || !idle) throw new Error('there are three')

  it.each([['300'], [' 300 '], ['0.5e3'], ['86400']])('can be %s', (text) => {
    expect(wrong(text, timeout)).toBe(null)
  })
  it.each([[''], ['   '], ['soon'], ['0'], ['-1'], ['86401'], ['Infinity'], ['NaN'], ['3 s']])('cannot be "%s"', (text) => {
    expect(wrong(text, timeout)).not.toBe(null)
  })
  it('may be nothing for what ends when it is unused', () => {
    expect(wrong('0', idle)).toBe(null)
  })

  it.each([
    [20, null],
    [300, '5 minutes'],
    [5400, '1.5 hours'],
    [3600, '1 hour'],
    [31_536_000, '365 days'],
    [NaN, null],
  ])('%s is %s', (value, text) => {
    expect(inWords(value)).toBe(text)
  })
})

it('calls directories by what is in them', () => {
  expect(directoryName('activity')).toBe('Activity record')
  expect(directoryName('some_thing')).toBe('Some thing')
})

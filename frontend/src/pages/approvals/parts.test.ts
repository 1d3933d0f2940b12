import { describe, expect, it } from 'vitest'

import { parts } from './parts'

describe('the parts of a name', () => {
  it('are one where everything is written from left to right', () => {
    expect(parts('/home/me/a.txt')).toEqual([{ text: '/home/me/a.txt', apart: false }])
    expect(parts('')).toEqual([{ text: '', apart: false }])
  })

  it('keep letters from right to left to themselves', () => {
    expect(parts('/a/דוח שנתי/מס.txt')).toEqual([
      { text: '/', apart: false },
      { text: 'a', apart: false },
      { text: '/', apart: false },
      { text: 'דוח שנתי', apart: true },
      { text: '/', apart: false },
      { text: 'מס', apart: true },
      { text: '.', apart: false },
      { text: 'txt', apart: false },
    ])
  })

  it.each(['read “/home/עברית/עוד”, this file only', 'عربي.example.com:443', 'א:ב@ג'])('are all of it: %s', (text) => {
    expect(
      parts(text)
        .map((part) => part.text)
        .join(''),
    ).toBe(text)
  })
})

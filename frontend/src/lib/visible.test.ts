import { describe, expect, it } from 'vitest'

import { prose, unusual, visible, visibleBlock } from './visible'

describe('visible', () => {
  it.each([
    ['a right-to-left override', 'invoice\u202Efdp.exe', 'invoice\\u{202e}fdp.exe'],
    ['a zero-width space', 'pay\u200Bpal', 'pay\\u{200b}pal'],
    ['TAG characters', 'ok\u{E0041}', 'ok\\u{e0041}'],
    ['a variation selector', 'a\uFE0F', 'a\\u{fe0f}'],
    ['a line break', 'one\ntwo', 'one\\u{a}two'],
    ['an escape sequence', '\u001b[31m', '\\u{1b}[31m'],
    ['a filler that is drawn as nothing', '\u3164', '\\u{3164}'],
    ['a lone surrogate', 'x\ud800y', 'x\\u{d800}y'],
    ['a line separator', 'x\u2028y', 'x\\u{2028}y'],
    ['private use', '\ue000', '\\u{e000}'],
  ])('shows %s', (_, text, shown) => expect(visible(text)).toBe(shown))

  it('leaves letters of every script alone', () => {
    for (const text of ['weather', 'Grüße', 'שלום', '天気', 'नमस्ते', '😀']) expect(visible(text)).toBe(text)
  })

  it('cuts by characters, not by halves of them', () => {
    expect(visible('😀😀😀', 2)).toBe('😀😀…')
    expect(visible('abc', 3)).toBe('abc')
  })

  it('leaves the lines of a block, and nothing else', () => {
    expect(visibleBlock('a\r\nb\tc\u202e')).toBe('a\nb\tc\\u{202e}')
  })

  it('lets a description flow, and hides nothing of it', () => {
    expect(prose(' one,\n  two\u202e\n')).toBe('one, two\\u{202e}')
  })

  it('knows what could be taken for something else', () => {
    expect(unusual('аpple')).toBe(true)
    expect(unusual('apple')).toBe(false)
  })
})

import { describe, expect, it } from 'vitest'

import { act, type Act } from './keys'

function element(html: string): Element {
  document.body.innerHTML = html
  const found = document.body.firstElementChild
  if (!found) throw new Error('nothing there')
  return found
}
const key = (name: string, more: object = {}) => ({
  key: name,
  repeat: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...more,
})

describe('a key', () => {
  it.each<[string, string, Act]>([
    ['Enter', '<h2 tabindex="-1"></h2>', 'allow'],
    ['Enter', '<input type="radio">', 'allow'],
    ['Enter', '<button></button>', null],
    ['Enter', '<summary></summary>', null],
    ['Enter', '<input class="input">', null],
    ['Enter', '<a href="/"></a>', null],
    ['Escape', '<h2></h2>', 'deny'],
    ['Escape', '<input class="input">', 'deny'],
    ['j', '<h2></h2>', 'next'],
    ['k', '<input type="radio">', 'previous'],
    ['j', '<input class="input">', 'typed'],
    ['x', '<h2></h2>', 'typed'],
    ['Tab', '<h2></h2>', null],
    ['ArrowDown', '<input type="radio">', null],
  ])('%s on %s: %s', (name, html, expected) => {
    expect(act(key(name), element(html))).toBe(expected)
  })

  it('that is held decides nothing', () => {
    for (const name of ['Enter', 'Escape']) {
      expect(act(key(name, { repeat: true }), element('<h2></h2>'))).toBe('typed')
    }
    expect(act(key('j', { repeat: true }), element('<h2></h2>'))).toBe('typed')
  })

  it('with another one is not ours', () => {
    expect(act(key('Enter', { ctrlKey: true }), null)).toBe(null)
    expect(act(key('k', { metaKey: true }), null)).toBe(null)
  })
})

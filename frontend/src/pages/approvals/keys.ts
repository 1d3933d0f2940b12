/** What a key does while a question is before the person. */
export type Act = 'allow' | 'deny' | 'next' | 'previous' | 'typed' | null

interface Key {
  key: string
  repeat: boolean
  ctrlKey: boolean
  metaKey: boolean
  altKey: boolean
}

const OWN_ENTER = 'button, a, summary, select, textarea, input:not([type="radio"])'
const OWN_LETTERS = 'select, textarea, input:not([type="radio"])'

/** `on`: the element that has the focus. A held key decides nothing, and moves nothing. */
export function act(key: Key, on: Element | null): Act {
  if (key.ctrlKey || key.metaKey || key.altKey) return null
  if (key.key === 'Escape') return key.repeat ? 'typed' : 'deny'
  if (key.key === 'Enter') {
    if (key.repeat) return 'typed'
    return on?.matches(OWN_ENTER) ? null : 'allow'
  }
  if (key.key.length !== 1) return null
  if (on?.matches(OWN_LETTERS)) return 'typed'
  if (key.key === 'j' && !key.repeat) return 'next'
  if (key.key === 'k' && !key.repeat) return 'previous'
  return 'typed'
}

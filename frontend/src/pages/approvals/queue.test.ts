import { describe, expect, it } from 'vitest'

import { following, groups, inOrder, intruding, ofComponent, step, type Waiting } from './queue'

function asked(id: string, created: number, more: Partial<Waiting> = {}): Waiting {
  return {
    id,
    created,
    kind: 'network',
    component_id: 'weather',
    component_digest: 'ab',
    session: 's1',
    target: target('api.example.com:443', 'connect to'),
    ...more,
  }
}
const target = (name: string, verb: string) => ({ verb, target: name, note: null, request: null, as_ascii: null })
const file = (path: string) => ({ kind: 'storage', target: target(path, 'read') })

describe('the order', () => {
  it('is by age, with each question once', () => {
    const queue = inOrder([asked('b', 2), asked('a', 1), asked('c', 1), asked('b', 2)])
    expect(queue.map((one) => one.id)).toEqual(['a', 'c', 'b'])
  })
})

describe('groups', () => {
  it('have one host, or one directory, of one component, session and kind', () => {
    const queue = inOrder([
      asked('a', 1),
      asked('b', 2, file('/home/me/notes/a.md')),
      asked('c', 3),
      asked('d', 4, file('/home/me/notes/b.md')),
      asked('e', 5, file('/home/me/keys/b.md')),
      asked('f', 6, { session: 's2' }),
      asked('g', 7, { component_digest: 'cd' }),
      asked('h', 8, { kind: 'unload' })
    ])
    expect(groups(queue).map((one) => one.items.map((item) => item.id))).toEqual([
      ['a', 'c'],
      ['b', 'd'],
      ['e'],
      ['f'],
      ['g'],
      ['h']
    ])
  })

  it('cannot be made to meet by a name with a separator in it', () => {
    const one = asked('a', 1, { component_id: 'a', component_digest: 'b","c' })
    const other = asked('b', 2, { component_id: 'a","b', component_digest: 'c' })
    expect(groups([one, other])).toHaveLength(2)
  })

  it('know what else a component asks', () => {
    const queue = [asked('a', 1), asked('b', 2, { component_id: null }), asked('c', 3)]
    expect(ofComponent(queue, 'weather').map((one) => one.id)).toEqual(['a', 'c'])
    expect(ofComponent(queue, null)).toEqual([])
  })
})

describe('the question that is shown', () => {
  const a = asked('a', 1)
  const b = asked('b', 2, file('/x/y'))
  const c = asked('c', 3)

  it('stays while it waits, whatever comes', () => {
    expect(following([b], [a, b, c], 'b')).toBe('b')
  })
  it('is followed by one of its group', () => {
    expect(following([a, b, c], [b, c], 'a')).toBe('c')
  })
  it('is followed by what came after it', () => {
    expect(following([a, b, c], [a, c], 'b')).toBe('c')
  })
  it('is followed by the first when it was the last', () => {
    expect(following([b, a], [a], 'b')).toBe('a')
  })
  it('is the oldest to begin with, and none in the end', () => {
    expect(following([], [a, b], null)).toBe('a')
    expect(following([a], [], 'a')).toBe(null)
    expect(following([], [a], 'gone')).toBe('a')
  })
  it('can be gone through, to the ends', () => {
    expect(step([a, b, c], 'a', 1)).toBe('b')
    expect(step([a, b, c], 'a', -1)).toBe('a')
    expect(step([a, b, c], 'c', 5)).toBe('c')
    expect(step([a, b], 'gone', 1)).toBe('a')
    expect(step([], null, 1)).toBe(null)
  })
  it('comes over a page unless it was put off', () => {
    expect(intruding([a, b], new Set())?.id).toBe('a')
    expect(intruding([a, b], new Set(['a']))?.id).toBe('b')
    expect(intruding([a], new Set(['a']))).toBe(null)
  })
})

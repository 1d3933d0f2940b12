import { describe, expect, it } from 'vitest'

import { asked, folderOf, obstacle, related, ruleFor } from './picked'

describe('what is asked for', () => {
  it.each([
    ['read fs:///home/me/a.md', { access: ['read'], path: '/home/me/a.md', below: false }],
    ['read,write fs:///home/me/**', { access: ['read', 'write'], path: '/home/me', below: true }],
    ['read fs:///home/me/my notes/*.md', { access: ['read'], path: '/home/me/my notes', below: true }],
    ['fs:///a', { access: [], path: '/a', below: false }],
  ])('is read from %s', (rule, expected) => {
    expect(asked(rule)).toEqual(expected)
  })
  it.each([[null], ['GET api.example.com'], ['read fs://workspace/a'], ['']])('is not in %s', (rule) => {
    expect(asked(rule)).toBe(null)
  })
  it('lies in a folder', () => {
    expect(folderOf('/home/me/a.md')).toBe('/home/me')
    expect(folderOf('/a')).toBe('/')
    expect(folderOf('/')).toBe('/')
  })
})

describe('what is picked', () => {
  it('becomes a rule for a file, or for a folder and all below', () => {
    expect(ruleFor(['read'], '/srv/my notes/a.md', 'file')).toBe('read fs:///srv/my notes/a.md')
    expect(ruleFor(['read', 'write'], '/srv', 'directory')).toBe('read,write fs:///srv/**')
    expect(ruleFor([], '/', 'directory')).toBe('fs:///**')
  })
  it('is not given if its name would be a pattern', () => {
    expect(obstacle('/srv/a*')).toContain('*')
    expect(obstacle('/srv/?/b')).not.toBe(null)
    expect(obstacle('/srv/[b]')).toBe(null)
    expect(obstacle('/' + 'x'.repeat(1000))).not.toBe(null)
  })

  const file = { access: ['read'], path: '/home/me/notes/a.md', below: false }
  const folder = { access: ['read'], path: '/srv/x', below: true }
  it.each<[string, 'file' | 'directory', boolean]>([
    ['/home/me/notes/a.md', 'file', true],
    ['/home/me/notes', 'directory', true],
    ['/', 'directory', true],
    ['/home/me/notes/b.md', 'file', false],
    ['/home/me/note', 'directory', false],
    ['/home/me/notes/a.md/x', 'directory', false],
  ])('%s (%s) allows a file that was asked for: %s', (path, kind, expected) => {
    expect(related(path, kind, file, true)).toBe(expected)
  })
  it('may be a part of what an agent asks for, but not of what a component wanted', () => {
    expect(related('/srv/x/y', 'directory', folder, true)).toBe(true)
    expect(related('/srv/x/y', 'directory', folder, false)).toBe(false)
    expect(related('/srv/y', 'directory', folder, true)).toBe(false)
  })
})

import { describe, expect, it } from 'vitest'

import type { Permission } from '$lib/words'

import { emptyForm, formOf, grantOf, grantWords } from './grant'

const HOME = '/home/me'
const form = (changes: object) => ({ ...emptyForm(), ...changes })

describe('what is filled in comes to a grant', () => {
  it.each([
    [{ path: '~/notes' }, { kind: 'storage', uri: 'fs:///home/me/notes/**', access: ['read'] }],
    [{ path: '/data/', write: true }, { kind: 'storage', uri: 'fs:///data/**', access: ['read', 'write'] }],
    [{ path: '/a.txt', extent: 'file' }, { kind: 'storage', uri: 'fs:///a.txt', access: ['read'] }],
    [{ path: '/logs/*.txt' }, { kind: 'storage', uri: 'fs:///logs/*.txt', access: ['read'] }],
    [{ path: 'fs://workspace' }, { kind: 'storage', uri: 'fs://workspace', access: ['read'] }],
    [{ path: 'C:\\Users\\me' }, { kind: 'storage', uri: 'fs:///C:/Users/me/**', access: ['read'] }],
    [{ path: '/' }, { kind: 'storage', uri: 'fs:///**', access: ['read'] }],
    [{ kind: 'network', host: ' api.example.com ' }, { kind: 'network', host: 'api.example.com', methods: [] }],
    [{ kind: 'network', host: 'a.b', methods: 'reading' }, { kind: 'network', host: 'a.b', methods: ['GET', 'HEAD'] }],
    [{ kind: 'environment', key: 'KEY', hosts: 'a.b, c.d' }, { kind: 'environment', key: 'KEY', hosts: ['a.b', 'c.d'] }],
    [{ kind: 'memory', limit: '64Mi' }, { kind: 'memory', limit: '64Mi' }],
  ])('%j', (changes, grant) => expect(grantOf(form(changes), HOME)).toEqual(grant))

  it.each([
    [{ path: '' }, 'path'],
    [{ path: 'notes' }, 'path'],
    [{ kind: 'network' }, 'host'],
    [{ kind: 'environment' }, 'key'],
    [{ kind: 'memory', limit: 'lots' }, 'limit'],
  ])('%j is asked about again', (changes, field) =>
    expect(grantOf(form(changes), HOME)).toMatchObject({ field }))

  it('never makes a folder of a file', () => {
    expect(grantWords(form({ path: '/etc/passwd', extent: 'file' }), 'x', HOME)).toBe('x may read files in /etc/passwd.')
  })
})

describe('a rule can be changed where these fields can say it', () => {
  const rule = (changes: object): Permission =>
    ({ kind: 'storage', action: 'allow', rule: '', access: [], secret_for: [], text: '', place: '', line: null, unused_days: null, ...changes }) as Permission

  it.each([
    [{ rule: 'fs:///home/me/notes/**', access: ['read'] }, { path: '/home/me/notes', extent: 'below', write: false }],
    [{ rule: 'fs:///home/me/a.txt', access: ['read', 'write'] }, { path: '/home/me/a.txt', extent: 'file', write: true }],
    [{ kind: 'network', rule: 'a.b', access: ['HEAD', 'GET'] }, { host: 'a.b', methods: 'reading' }],
    [{ kind: 'memory', action: 'limit', rule: '512 MiB' }, { limit: '512Mi' }],
  ])('%j', (changes, expected) => expect(formOf(rule(changes))).toMatchObject(expected))

  it.each([
    [{ action: 'deny', rule: 'fs:///x' }],
    [{ kind: 'network', rule: 'a.b', access: ['POST'] }],
    [{ kind: 'cpu', action: 'limit', rule: '0.5' }],
  ])('%j is for the YAML', (changes) => expect(formOf(rule(changes))).toBeNull())
})

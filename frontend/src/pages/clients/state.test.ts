import { describe, expect, it } from 'vitest'

import { hue, initials, sections, standing, type Client } from './state'

function client(more: Partial<Client> = {}): Client {
  return {
    id: 'cursor',
    name: 'Cursor',
    installed: true,
    state: 'not registered',
    disabled: false,
    file: '/home/me/.cursor/mcp.json',
    command: null,
    problem: null,
    connected: [],
    last_connection: null,
    restart: null,
    install_link: null,
    can_verify: false,
    can_undo: false,
    source: '',
    ...more,
  }
}

describe('the state of a client', () => {
  it.each<[Partial<Client>, string, string, string[]]>([
    [{ installed: false }, 'none', 'Not installed', []],
    [{}, 'none', 'Not registered', ['Register']],
    [{ connected: ['s'] }, 'allow', 'Connected now', ['Register']],
    [{ state: 'registered' }, 'allow', 'Registered', ['Remove']],
    [{ state: 'registered', connected: ['s'] }, 'allow', 'Connected now', ['Remove']],
    [{ state: 'registered', disabled: true }, 'ask', 'Switched off there', ['Remove']],
    [{ state: 'broken' }, 'deny', 'Does not work', ['Repair', 'Remove']],
    [{ state: 'outdated' }, 'ask', 'Outdated', ['Update', 'Remove']],
    [{ state: 'another wassette' }, 'ask', 'Another Wassette', ['Use this one', 'Remove']],
    [{ state: 'not wassette' }, 'ask', 'Something else', ['Replace it']],
    [{ state: 'unreadable', problem: 'a comma is missing' }, 'deny', 'Not readable', []],
  ])('%j is %s, %s', (more, kind, label, actions) => {
    const found = standing(client(more))
    expect([found.kind, found.label, found.actions.map((one) => one.label)]).toEqual([kind, label, actions])
  })

  it('replaces what runs something else only when that is said', () => {
    for (const state of ['not registered', 'broken', 'outdated']) {
      expect(standing(client({ state })).actions.some((one) => one.replace)).toBe(false)
    }
    expect(standing(client({ state: 'not wassette' })).actions[0]?.replace).toBe(true)
  })
})

it('puts those with an entry first, and each client in one place', () => {
  const all = [
    client({ id: 'a', installed: false }),
    client({ id: 'b' }),
    client({ id: 'c', state: 'registered' }),
    client({ id: 'd', state: 'unreadable' }),
    client({ id: 'e', installed: false, connected: ['s'] }),
  ]
  const found = sections(all)
  expect(found.registered.map((one) => one.id)).toEqual(['c', 'e'])
  expect(found.installed.map((one) => one.id)).toEqual(['b', 'd'])
  expect(found.absent.map((one) => one.id)).toEqual(['a'])
})

it.each([
  ['Claude Code', 'CC'],
  ['VS Code', 'VC'],
  ['Cursor', 'Cu'],
  ['opencode', 'op'],
  ['VSCodium', 'VS'],
  ['LM Studio', 'LS'],
  ['', ''],
])('writes %s as %s', (name, expected) => {
  expect(initials(name)).toBe(expected)
})

it('gives a name the same hue each time', () => {
  expect(hue('Cursor')).toBe(hue('Cursor'))
  expect(hue('Cursor')).not.toBe(hue('Codex'))
  expect(hue('x'.repeat(1000))).toBeLessThan(360)
})

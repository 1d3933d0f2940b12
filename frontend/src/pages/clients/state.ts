// How a client stands to Wassette, in the words of the page.

import type { Schemas } from '$lib/api/client'

export type Client = Schemas['schemas']['ClientState']
export type Action = 'add' | 'remove' | 'undo'

export interface Standing {
  kind: 'allow' | 'ask' | 'deny' | 'none'
  label: string
  /** What there is to know beyond the label. */
  text: string | null
  /** What can be done, the first most likely. `replace`: also in place of what is there. */
  actions: { action: Action; replace: boolean; label: string }[]
}

const add = (label: string, replace = false) => ({ action: 'add' as const, replace, label })
const REMOVE = { action: 'remove' as const, replace: false, label: 'Remove' }

/** Every client is in exactly one of these states; connected is the one that a person wants to see first. */
export function standing(client: Client): Standing {
  const connected = client.connected.length > 0
  switch (client.state) {
    case 'registered':
      if (client.disabled) {
        return {
          kind: 'ask',
          label: 'Switched off there',
          text: 'Its entry for Wassette is there, and switched off in the client.',
          actions: [REMOVE],
        }
      }
      return {
        kind: 'allow',
        label: connected ? 'Connected now' : 'Registered',
        text: null,
        actions: [REMOVE],
      }
    case 'broken':
      return {
        kind: 'deny',
        label: 'Does not work',
        text: 'Its entry runs a Wassette that is not there any more.',
        actions: [add('Repair'), REMOVE],
      }
    case 'outdated':
      return {
        kind: 'ask',
        label: 'Outdated',
        text: 'Its entry works, and is not what would be written today.',
        actions: [add('Update'), REMOVE],
      }
    case 'another wassette':
      return {
        kind: 'ask',
        label: 'Another Wassette',
        text: 'Its entry runs another Wassette than this one.',
        actions: [add('Use this one', true), REMOVE],
      }
    case 'not wassette':
      return {
        kind: 'ask',
        label: 'Something else',
        text: 'It has an entry named wassette, which runs something else.',
        actions: [add('Replace it', true)],
      }
    case 'unreadable':
      return { kind: 'deny', label: 'Not readable', text: client.problem, actions: [] }
    default:
      if (connected) {
        return { kind: 'allow', label: 'Connected now', text: null, actions: client.installed ? [add('Register')] : [] }
      }
      return client.installed
        ? { kind: 'none', label: 'Not registered', text: null, actions: [add('Register')] }
        : { kind: 'none', label: 'Not installed', text: null, actions: [] }
  }
}

export interface Sections {
  registered: Client[]
  installed: Client[]
  absent: Client[]
}

/** Those with an entry or a connection, those that could have one, and those that are not here. */
export function sections(clients: Client[]): Sections {
  const found: Sections = { registered: [], installed: [], absent: [] }
  for (const one of clients) {
    if (one.connected.length > 0 || !['not registered', 'unreadable'].includes(one.state)) found.registered.push(one)
    else if (one.installed) found.installed.push(one)
    else found.absent.push(one)
  }
  return found
}

/** Two letters in place of a logo, which would be somebody's mark. */
export function initials(name: string): string {
  const words = name.split(/[\s-]+/).filter(Boolean)
  const [first = '', second = ''] = words
  if (words.length > 1) return (first.charAt(0) + second.charAt(0)).toUpperCase()
  const upper = [...first].filter((char) => char >= 'A' && char <= 'Z')
  return upper.length > 1 ? upper.slice(0, 2).join('') : first.slice(0, 2)
}

/** A number of a hue from a name: the same for the same name. */
export function hue(name: string): number {
  let sum = 0
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 360
  return sum
}

export const DOING: Record<Action, { title: string; button: string; done: string }> = {
  add: { title: 'Register with', button: 'Write this', done: 'registered' },
  remove: { title: 'Remove from', button: 'Write this', done: 'removed' },
  undo: { title: 'Undo the last change of', button: 'Change it back', done: 'as it was' },
}

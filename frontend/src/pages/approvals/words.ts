// What the sheet says, from what the server says. Texts of approvals come ready to be shown: what
// others wrote has no line break and no quote in it, so a line of `text` is what it seems to be.

import type { Approval } from './queue'

export type Scope = Approval['scopes'][number]

export const SCOPES: Record<Scope, { label: string; long: string; ends: string }> = {
  once: { label: 'Just this once', long: 'just this once', ends: 'It ends with the call that is shown.' },
  session: {
    label: 'This session',
    long: 'while this session lasts',
    ends: 'It ends when the client that asked ends its session.',
  },
  hour: { label: 'One hour', long: 'for one hour', ends: 'It ends after one hour, whoever calls the component.' },
  always: { label: 'Always', long: 'always', ends: 'It is written to the policy of the component.' },
}

/** The details of a question, by their label; each value is one line. */
export function details(text: string): { label: string; value: string }[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => /^ {2}([A-Z][A-Za-z ]*): (.*)$/.exec(line))
    .filter((found) => found !== null)
    .map((found) => ({ label: found[1] ?? '', value: found[2] ?? '' }))
}

export interface Remark {
  label: string
  value: string
}

export interface Fact {
  label: string
  values: string[]
  /** What it means, where it means something. */
  kind: 'allow' | 'none' | 'ask' | 'deny' | null
}

const FACTS: Record<string, string> = {
  Signature: 'Signature',
  Could: 'It could',
  Cannot: 'It cannot',
  'Asks for': 'It asks for',
}

/** Those that the sheet does not show in another way, and those that have to be seen first. */
export function remarks(approval: Approval): { careful: string[]; notes: Remark[]; facts: Fact[] } {
  const careful: string[] = []
  const notes: Remark[] = []
  const facts: Fact[] = []
  for (const { label, value } of details(approval.text)) {
    if (label === 'Careful') careful.push(value)
    else if (label === 'In other letters') careful.push(`In other letters, the name is ${value}.`)
    else if (label === 'Note') notes.push({ label, value })
    else if (FACTS[label] !== undefined) {
      const known = facts.find((one) => one.label === FACTS[label])
      if (known) known.values.push(value)
      else facts.push({ label: FACTS[label], values: [value], kind: label === 'Signature' ? signed(value) : null })
    }
  }
  return { careful, notes, facts }
}

/** Our words about a signature; what others wrote is in quotes, which theirs cannot end. */
function signed(value: string): Fact['kind'] {
  const ours = value.replaceAll(/“[^”]*”/g, '')
  if (ours.endsWith('whom your settings name')) return 'allow'
  return ours.startsWith('none that is valid') ? 'deny' : 'none'
}

export interface Sentence {
  /** Who: ours, or quoted if it is a client's own word. */
  who: string
  quoted: boolean
  /** `wants to connect to`; the target follows on a line of its own. */
  does: string
}

/** Subject first. */
export function sentence(approval: Approval): Sentence {
  const component = approval.component_id
  const client = { who: approval.client || 'A client', quoted: approval.client !== '' }
  if (approval.kind === 'load') return { ...client, does: 'wants to load a component from' }
  if (approval.kind === 'unload') return { ...client, does: 'wants to remove, with its tools and permissions,' }
  if (approval.kind === 'reset') return { ...client, does: 'wants to take all permissions back from' }
  if (approval.kind.startsWith('grant-')) {
    return { ...client, does: `wants ${component ?? 'a component'} to ${approval.target.verb}` }
  }
  return { who: component ?? approval.subject, quoted: false, does: `wants to ${approval.target.verb}` }
}

/** What allowing comes to, in the words of the choice; for the line above the buttons. */
export function consequence(approval: Approval, scope: Scope, rule: string | null): string | null {
  if (['load', 'unload', 'reset'].includes(approval.kind)) return null // The question and its notes say all.
  if (scope !== 'always' || rule === null) return SCOPES[scope].ends
  return `It is written to the policy of ${approval.component_id ?? 'the component'}, exactly as shown:`
}

/** How a question ended. */
export function ending(approval: Approval): { kind: 'allow' | 'ask' | 'deny' | 'none'; text: string } {
  const by = approval.decision?.by
  const where = by ? (BY[by] ?? '') : ''
  switch (approval.state) {
    case 'allowed': {
      const scope = approval.decision?.scope
      return { kind: 'allow', text: `Allowed ${scope ? SCOPES[scope].long : ''}${where}`.trim() }
    }
    case 'denied':
      return { kind: 'deny', text: by ? `Denied${where}` : 'Denied' }
    case 'expired':
      return { kind: 'deny', text: 'Nobody answered in time' }
    case 'withdrawn':
      return { kind: 'none', text: 'Withdrawn' }
    case 'void':
      return { kind: 'none', text: 'Void' }
    case 'asked':
      return { kind: 'ask', text: 'Asked before' }
    default:
      return { kind: 'ask', text: 'Waits' }
  }
}

const BY: Record<string, string> = {
  web: ' here',
  desktop: ' in a notification',
  cli: ' on the command line',
  terminal: ' at the terminal',
  elicitation: ' in the dialog of the client',
}

/** Minutes and seconds that are left, both in milliseconds since 1970. */
export function remaining(expires: number, now: number): string {
  const left = Math.max(0, Math.ceil((expires - now) / 1000))
  if (left >= 3600) return `${Math.floor(left / 3600)} h ${Math.floor((left % 3600) / 60)} min`
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`
}

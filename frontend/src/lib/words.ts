/** Short sentences about what the backend answers, the same wherever they are shown. */
import type { Schemas } from './api/client'
import { visible } from './visible'

type S = Schemas['schemas']
export type ComponentSummary = S['ComponentSummary']
export type ComponentDetail = S['ComponentDetail']
export type Permission = S['Permission']
export type Capability = S['Capability']
export type ActivityEntry = S['ActivityEntry']

export type Meaning = 'allow' | 'ask' | 'deny' | 'none'

/** How an entry of the activity ended, in its sign and its word. */
export function outcome(entry: Pick<ActivityEntry, 'outcome' | 'kind'>): { kind: Meaning; word: string } {
  switch (entry.outcome) {
    case 'ok':
      return { kind: entry.kind === 'call' ? 'allow' : 'none', word: 'Done' }
    case 'allowed':
      return { kind: 'allow', word: 'Allowed' }
    case 'denied':
      return { kind: 'deny', word: 'Denied' }
    case 'error':
      return { kind: 'deny', word: 'Failed' }
    case 'cancelled':
      return { kind: 'none', word: 'Cancelled' }
  }
}

/** What of a component needs a person, if anything. */
export function needs(component: ComponentSummary): { kind: Meaning; word: string } | null {
  switch (component.state) {
    case 'unseen':
      return { kind: 'ask', word: 'Changed' }
    case 'broken':
      return { kind: 'deny', word: 'Cannot be used' }
    case 'unexamined':
      return { kind: 'none', word: 'Not examined yet' }
    case 'disabled':
      return { kind: 'none', word: 'Off' }
    case 'ready':
      return component.policy_error ? { kind: 'deny', word: 'Policy has a mistake' } : null
  }
}

export type Reach = 'files' | 'network' | 'environment'

/**
 * What a component can reach now: `none` cannot by what it imports, `closed` could but nothing was
 * granted, `open` has been granted something.
 */
export function reach(component: ComponentSummary): Record<Reach, 'none' | 'closed' | 'open'> {
  const kinds = { files: 'storage', network: 'network', environment: 'environment' } as const
  const found = { files: 'none', network: 'none', environment: 'none' } as Record<Reach, 'none' | 'closed' | 'open'>
  for (const capability of component.capabilities) {
    if (!(capability.kind in kinds) || !capability.possible) continue
    const kind = capability.kind as Reach
    const granted = component.permissions.some((one) => one.kind === kinds[kind] && one.action === 'allow')
    found[kind] = granted ? 'open' : 'closed'
  }
  return found
}

const REACH_WORDS: Record<Reach, Record<'none' | 'closed' | 'open', string>> = {
  files: {
    none: 'cannot use files',
    closed: 'could use files, and was granted none',
    open: 'may use some files',
  },
  network: {
    none: 'cannot reach the network',
    closed: 'could reach the network, and was granted no host',
    open: 'may reach some hosts',
  },
  environment: {
    none: 'cannot see variables',
    closed: 'could see variables, and was given none',
    open: 'is given some variables',
  },
}

export function reachWords(kind: Reach, state: 'none' | 'closed' | 'open'): string {
  return REACH_WORDS[kind][state]
}

/** `starter:toolbox` and `oci://ghcr.io/…` as they are; a path as the file that it is. */
export function sourceWords(source: string | null): string {
  if (!source) return 'unknown'
  return visible(source.replace(/^file:\/\//, ''), 300)
}

/** With the person's own directory as `~`. */
export function homely(path: string, home: string | undefined): string {
  if (home && home !== '/' && (path === home || path.startsWith(home + '/'))) return '~' + path.slice(home.length)
  return path
}

/** "what happened" of an activity entry, as a sentence's end. All of it is made visible. */
export function entryWords(entry: ActivityEntry): string {
  return visible(entry.what, 160)
}

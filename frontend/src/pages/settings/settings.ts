// What can be set, and what it is said to be.

import type { Schemas } from '$lib/api/client'
import { count } from '$lib/format'

export type Values = Schemas['schemas']['SettingsValues']
export type Key = keyof Values

export const APPROVALS: { value: Values['approvals']; label: string; text: string }[] = [
  { value: 'ask', label: 'Ask me', text: 'What no rule allows waits for you, here and in the dialogs of clients.' },
  { value: 'deny', label: 'Deny, and do not ask', text: 'What no rule allows is refused at once. The answer says how you can allow it.' },
  {
    value: 'allow-agent',
    label: 'Let agents give permissions',
    text: 'Agents load components and give them permissions by themselves. What a component wants beyond them waits for you.',
  },
]

export interface Amount {
  key: 'approval_timeout' | 'approval_wait' | 'idle_timeout' | 'activity_days' | 'activity_megabytes'
  label: string
  help: string
  unit: 'seconds' | 'days' | 'MB'
  least: number
  most: number
}

/** How long a person is waited for. */
export const WAITING: Amount[] = [
  {
    key: 'approval_timeout',
    label: 'Wait for me',
    help: 'Until a question that nobody answers is denied.',
    unit: 'seconds',
    least: 1,
    most: 86_400,
  },
  {
    key: 'approval_wait',
    label: 'Keep agents waiting',
    help: 'An agent that would hear nothing is kept waiting for so long, before it is told to come back.',
    unit: 'seconds',
    least: 1,
    most: 86_400,
  },
]

export const RUNNING: Amount[] = [
  {
    key: 'idle_timeout',
    label: 'End when unused',
    help: 'Without clients for so long, Wassette ends. It starts again when it is needed.',
    unit: 'seconds',
    least: 0,
    most: 31_536_000,
  },
]

/** How much of the activity record is kept. */
export const KEPT: Amount[] = [
  {
    key: 'activity_days',
    label: 'Keep activity for',
    help: 'What is older goes, within an hour of use. It cannot be had back.',
    unit: 'days',
    least: 1,
    most: 3650,
  },
  {
    key: 'activity_megabytes',
    label: 'And no more of it than',
    help: 'When the record is larger, the oldest of it goes.',
    unit: 'MB',
    least: 1,
    most: 100_000,
  },
]

/** What is wrong with what was typed; null if it can be used. */
export function wrong(text: string, amount: Amount): string | null {
  const value = Number(text.trim())
  if (text.trim() === '' || !Number.isFinite(value)) return `Write a number of ${amount.unit}.`
  if (value < amount.least || value > amount.most) {
    return `Between ${amount.least.toLocaleString('en')} and ${amount.most.toLocaleString('en')} ${amount.unit}.`
  }
  return null
}

/** "300 s, which is 5 min": nobody reads 31,536,000. */
export function inWords(value: number): string | null {
  if (!Number.isFinite(value) || value < 90) return null
  const units: [number, string][] = [
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ]
  for (const [length, name] of units) {
    if (value >= length) {
      const amount = Math.round((value / length) * 10) / 10
      return `${amount.toLocaleString('en')} ${name}${amount === 1 ? '' : 's'}`
    }
  }
  return null
}

export type Tokens = Schemas['schemas']['Tokens']

/** Which tokens a server for HTTP would have, without any of them. */
export function tokensSet(tokens: Tokens): string {
  if (tokens.count === 0) return 'None. Every program on this machine can call the tools; it can grant nothing.'
  return `${count(tokens.count, 'token')}, by ${tokens.where ?? 'the settings'}`
}

/** What runs now, which may be something else. */
export function tokensServed({ server }: Tokens): string {
  if (server === null) return 'No server for HTTP is in this host.'
  const has = server.tokens === 0 ? 'without a token' : `with ${count(server.tokens, 'token')}`
  return `${server.url}, ${has}${server.where ? `, by ${server.where}` : ''}`
}

const NAMES: Record<string, string> = {
  components: 'Components',
  component_dir: 'Components',
  config: 'Settings',
  state: 'State',
  cache: 'Cache',
  data: 'Data',
  runtime: 'While it runs',
  activity: 'Activity record',
  approvals: 'Approvals',
  secrets: 'Secrets',
  logs: 'Logs',
}

export function directoryName(key: string): string {
  return NAMES[key] ?? key.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase())
}

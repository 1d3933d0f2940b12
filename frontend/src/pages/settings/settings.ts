// What can be set, and what it is said to be.

import type { Schemas } from '$lib/api/client'

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

export interface Duration {
  key: 'approval_timeout' | 'approval_wait' | 'idle_timeout'
  label: string
  help: string
  least: number
  most: number
}

export const DURATIONS: Duration[] = [
  {
    key: 'approval_timeout',
    label: 'Wait for me',
    help: 'Seconds until a question that nobody answers is denied.',
    least: 1,
    most: 86_400,
  },
  {
    key: 'approval_wait',
    label: 'Keep agents waiting',
    help: 'Seconds for which an agent that would hear nothing is kept waiting, before it is told to come back.',
    least: 1,
    most: 86_400,
  },
  {
    key: 'idle_timeout',
    label: 'End when unused',
    help: 'Seconds without clients after which Wassette ends. It starts again when it is needed.',
    least: 0,
    most: 31_536_000,
  },
]

/** What is wrong with what was typed; null if it can be used. */
export function wrong(text: string, duration: Duration): string | null {
  const value = Number(text.trim())
  if (text.trim() === '' || !Number.isFinite(value)) return 'Write a number of seconds.'
  if (value < duration.least || value > duration.most) {
    return `Between ${duration.least.toLocaleString('en')} and ${duration.most.toLocaleString('en')} seconds.`
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

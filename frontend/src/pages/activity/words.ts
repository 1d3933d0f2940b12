// How entries of the record are shown.
import type { Kind, Outcome } from './filters'

export const KIND: Record<Kind, { one: string; many: string }> = {
  call: { one: 'Call', many: 'Calls' },
  access: { one: 'Access', many: 'Accesses' },
  decision: { one: 'Decision', many: 'Decisions' },
  change: { one: 'Change', many: 'Changes' },
}

export const OUTCOME: Record<Outcome, { label: string; sign: 'allow' | 'deny' | 'ask' | 'none' }> = {
  ok: { label: 'Done', sign: 'none' },
  error: { label: 'Failed', sign: 'deny' },
  allowed: { label: 'Allowed', sign: 'allow' },
  denied: { label: 'Denied', sign: 'deny' },
  cancelled: { label: 'Cancelled', sign: 'none' },
}

/** "12:04:31", with the day in front where it is not today's. */
export function when(at: number, now: number): { day: string; time: string } {
  const date = new Date(at * 1000)
  const today = new Date(now)
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
  if (date.toDateString() === today.toDateString()) return { day: '', time }
  const sameYear = date.getFullYear() === today.getFullYear()
  const day = date.toLocaleDateString('en', {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' }),
  })
  return { day, time }
}

/** A value of an entry's detail as text in a block. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}

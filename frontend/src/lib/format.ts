/** Numbers with units, times relative to now. */

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB']

export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  if (unit === 0) return bytes === 1 ? '1 byte' : `${bytes} bytes`
  return `${value >= 99.5 ? value.toFixed(0) : value >= 9.95 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`
}

export function seconds(value: number): string {
  if (value < 0.0005) return 'under 1 ms'
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`
  if (value < 9.95) return `${value.toFixed(1)} s`
  if (value < 59.5) return `${Math.round(value)} s`
  const minutes = Math.floor(Math.round(value) / 60)
  const rest = Math.round(value) % 60
  if (minutes < 60) return rest ? `${minutes} min ${rest} s` : `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`
  return `${Math.floor(hours / 24)} days`
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString('en')} ${value === 1 ? one : many}`
}

/** A moment as the backend writes it (seconds since 1970, or ISO 8601) in milliseconds. */
export function moment(value: number | string | Date): number {
  if (value instanceof Date) return value.getTime()
  return typeof value === 'number' ? value * 1000 : Date.parse(value)
}

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['minute', 60],
  ['hour', 3600],
  ['day', 86_400],
  ['week', 7 * 86_400],
  ['month', 30.44 * 86_400],
  ['year', 365.25 * 86_400],
]

/** "just now", "4 min. ago", "in 2 hr.", "yesterday". */
export function ago(value: number | string | Date, now = Date.now()): string {
  const difference = (moment(value) - now) / 1000
  const distance = Math.abs(difference)
  if (distance < 45) return difference > 5 ? `in ${Math.round(distance)} s` : 'just now'
  let unit: Intl.RelativeTimeFormatUnit = 'minute'
  let length = 60
  for (const [name, seconds] of STEPS) {
    if (distance >= seconds * 0.95) [unit, length] = [name, seconds]
  }
  return RELATIVE.format(Math.round(difference / length), unit)
}

/** The exact time, in this person's own zone, for hovering. */
export function exact(value: number | string | Date): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' }).format(
    moment(value),
  )
}

/** The time of day, to the second, for lists of one day. */
export function clock(value: number | string | Date): string {
  const date = new Date(moment(value))
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12)
}

/**
 * Something asked of the backend, kept as long as a component is there, and asked for again when an event
 * says that it has changed. What is shown stays until the new is there: no flicker, no jump.
 */
import { untrack } from 'svelte'

import { Problem } from './api/client'
import { events, type EventData, type EventType } from './events.svelte'

export class Resource<T> {
  value = $state.raw<T | undefined>(undefined)
  problem = $state.raw<Problem | null>(null)
  loading = $state(true)
  #turn = 0
  #again: ReturnType<typeof setTimeout> | undefined
  readonly #ask: () => Promise<T>

  constructor(ask: () => Promise<T>) {
    this.#ask = ask
  }

  /** Nothing is there yet, and nothing went wrong. */
  get waiting() {
    return this.value === undefined && this.problem === null
  }

  async reload(): Promise<void> {
    clearTimeout(this.#again)
    const turn = ++this.#turn
    this.loading = true
    try {
      const value = await this.#ask()
      if (turn !== this.#turn) return
      this.value = value
      this.problem = null
    } catch (thrown) {
      if (turn !== this.#turn) return
      this.problem = Problem.of(thrown)
      if (this.problem.unreachable) this.#again = setTimeout(() => void this.reload(), 3000)
    } finally {
      if (turn === this.#turn) this.loading = false
    }
  }

  /** What is known to be newer than any answer that is still on its way. */
  put(value: T) {
    this.#turn++
    clearTimeout(this.#again)
    this.value = value
    this.problem = null
    this.loading = false
  }

  /** Soon, and once for many reasons: events come in bursts. */
  soon(delay = 150) {
    clearTimeout(this.#again)
    this.#again = setTimeout(() => void this.reload(), delay)
  }

  forget() {
    this.#turn++
    clearTimeout(this.#again)
    this.value = undefined
    this.problem = null
    this.loading = true
  }

  stop() {
    this.#turn++
    clearTimeout(this.#again)
  }
}

interface Options<T, E extends EventType> {
  /** The events that say it has changed. */
  on?: E[]
  /** What it depends on: another key is another thing, and the old is forgotten. */
  key?: () => unknown
  /** Which events concern it; all, if not given. */
  concerns?: (data: EventData[E], value: T | undefined) => boolean
  /** Whether the person may have changed it elsewhere: asked for again when they come back to the page. */
  elsewhere?: boolean
}

/** To be called while a component is made. */
export function resource<T, E extends EventType = EventType>(
  ask: () => Promise<T>,
  options: Options<T, E> = {},
): Resource<T> {
  const made = new Resource(ask)
  let last: unknown = undefined
  $effect(() => {
    const key = options.key?.()
    untrack(() => {
      if (last !== undefined && key !== last) made.forget()
      last = key
      void made.reload()
    })
    return () => made.stop()
  })
  $effect(() => {
    const stops = (options.on ?? []).map((type) =>
      events.on(type, (data) => {
        if (options.concerns?.(data, made.value) ?? true) made.soon()
      }),
    )
    stops.push(events.on('*', () => made.soon(0)))
    return () => stops.forEach((stop) => stop())
  })
  if (options.elsewhere) {
    $effect(() => {
      const again = () => made.soon(0)
      window.addEventListener('focus', again)
      return () => window.removeEventListener('focus', again)
    })
  }
  return made
}

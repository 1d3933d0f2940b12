/** The record as the page has it: pages on demand, and what comes live. */
import { api, Problem, take, type Schemas } from '$lib/api/client'
import { events } from '$lib/events.svelte'

import { fits, type Filters } from './filters'
import { arrived, caughtUp, empty, extended, opened, type Timeline } from './timeline'

export type Entry = Schemas['schemas']['ActivityEntry']

const PAGE = 200
const PAUSE = 100 // milliseconds: what comes in bursts is drawn together

export class Activity {
  timeline = $state.raw<Timeline<Entry>>(empty())
  loaded = $state(false)
  loading = $state(false)
  problem = $state.raw<Problem | null>(null)
  #filters: Filters = {}
  #turn = 0
  #news: Entry[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Whether the reader is further down, where nothing may move. */
  readonly #reading: () => boolean

  constructor(reading: () => boolean) {
    this.#reading = reading
  }

  follow(): () => void {
    const stops = [
      events.on('activity', (data) => {
        const { entry } = data as { entry: Entry }
        if (!fits(entry, this.#filters)) return
        this.#news.push(entry)
        this.#timer ??= setTimeout(() => this.#take(), PAUSE)
      }),
      events.on('*', () => void this.open(this.#filters)),
    ]
    return () => {
      this.#turn++
      clearTimeout(this.#timer)
      stops.forEach((stop) => stop())
    }
  }

  /** Begin anew with these filters. */
  async open(filters: Filters): Promise<void> {
    this.#filters = filters
    const turn = ++this.#turn
    this.#news = []
    this.loading = true
    try {
      const page = await this.#page()
      if (turn !== this.#turn) return
      this.timeline = opened({ ...empty<Entry>(), entries: this.#news }, page.items, page.next)
      this.#news = []
      this.problem = null
      this.loaded = true
    } catch (thrown) {
      if (turn === this.#turn) this.problem = Problem.of(thrown)
    } finally {
      if (turn === this.#turn) this.loading = false
    }
  }

  /** The next page, older than what is there. */
  async more(): Promise<void> {
    const before = this.timeline.next
    if (this.loading || before === null) return
    const turn = this.#turn
    this.loading = true
    try {
      const page = await this.#page(Number(before))
      if (turn !== this.#turn) return
      this.timeline = extended(this.timeline, page.items, page.next)
      this.problem = null
    } catch (thrown) {
      if (turn === this.#turn) this.problem = Problem.of(thrown)
    } finally {
      if (turn === this.#turn) this.loading = false
    }
  }

  catchUp() {
    this.timeline = caughtUp(this.timeline)
  }

  #page(before?: number) {
    const query = { ...this.#filters, limit: PAGE, ...(before === undefined ? {} : { before }) }
    return take(api.GET('/api/activity', { params: { query } }))
  }

  #take() {
    this.#timer = undefined
    const news = this.#news
    this.#news = []
    this.timeline = arrived(this.timeline, news, this.#reading())
  }
}

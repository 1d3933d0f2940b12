/** The questions that wait for this person: the sheet, the page and what comes after a decision. */
import { api, Problem, take, type Schemas } from '$lib/api/client'
import { events } from '$lib/events.svelte'
import { status } from '$lib/status.svelte'
import { toasts } from '$lib/toast.svelte'

import { inOrder, type Approval } from './queue'

type Choosing = Omit<Schemas['schemas']['DecisionRequest'], 'digest' | 'allow'>

const PAGE = 500
const FEW = 5 // so many are fetched one by one; more, all at once
const PAUSE = 80 // milliseconds: events come in bursts

class Approvals {
  /** Oldest first. */
  pending = $state.raw<Approval[]>([])
  loaded = $state(false)
  problem = $state.raw<Problem | null>(null)
  /** Those that a person wants to see later: they do not come over a page again. */
  putOff = $state.raw<ReadonlySet<string>>(new Set())
  #started = false
  #turn = 0
  #news = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Once; from then on it follows the events. */
  start() {
    if (this.#started) return
    this.#started = true
    events.on('approval', (data) => {
      const { id, state } = data as { id: string | null; state: string | null }
      if (id === null) this.#soon(true)
      else if (state === 'pending' || state === 'asked' || state === null) {
        this.#news.add(id)
        this.#soon(false)
      } else {
        this.#news.delete(id)
        this.forget([id])
      }
    })
    events.on('*', () => this.#soon(true))
    void this.reload()
  }

  async reload(): Promise<void> {
    clearTimeout(this.#timer)
    const began = performance.now()
    const turn = ++this.#turn
    this.#all = false
    this.#news.clear()
    try {
      const found: Approval[] = []
      let cursor: string | undefined
      do {
        const query = { state: 'pending' as const, limit: PAGE, ...(cursor ? { cursor } : {}) }
        const page = await take(api.GET('/api/approvals', { params: { query } }))
        found.push(...page.items)
        cursor = page.next ?? undefined
      } while (cursor)
      if (turn !== this.#turn) return
      this.#set(found)
      this.problem = null
      this.loaded = true
      this.#took = performance.now() - began
    } catch (thrown) {
      if (turn !== this.#turn) return
      this.problem = Problem.of(thrown)
      this.#soon(true, 3000)
    }
  }

  forget(ids: readonly string[]) {
    const gone = new Set(ids)
    if (this.pending.some((one) => gone.has(one.id))) {
      this.pending = this.pending.filter((one) => !gone.has(one.id))
    }
  }

  later(ids: readonly string[]) {
    this.putOff = new Set([...this.putOff, ...ids])
  }

  /** Throws what the server says if it does not count. */
  async decide(approval: Approval, allow: boolean, choosing: Choosing = {}): Promise<void> {
    const decided = await take(
      api.POST('/api/approvals/{request_id}/decision', {
        params: { path: { request_id: approval.id } },
        body: { digest: approval.digest, allow, ...choosing },
      }),
    )
    this.forget([approval.id])
    this.#say(decided.text, decided.approval)
    void status.reload()
  }

  async denyAll(componentId: string): Promise<void> {
    const before = this.pending.map((one) => one.id)
    await take(api.POST('/api/approvals/deny', { body: { component_id: componentId } }))
    await this.reload()
    // After the second no, those of the same kind are not asked any more: these are denied as well.
    const here = new Set(this.pending.map((one) => one.id))
    const denied = before.filter((id) => !here.has(id)).length
    toasts.say(`${denied === 1 ? '1 question' : `${denied} questions`} of ${componentId} denied`)
    void status.reload()
  }

  async revoke(approval: Approval): Promise<void> {
    const { text } = await take(
      api.POST('/api/approvals/{request_id}/revoke', { params: { path: { request_id: approval.id } } }),
    )
    toasts.say(text)
  }

  #say(text: string, approval: Approval) {
    toasts.say(text, approval.can_revoke ? { undo: () => this.revoke(approval), seconds: 10 } : {})
  }

  #set(found: Iterable<Approval>) {
    // What is known stays the same object: what a person has chosen in it is kept.
    const known = new Map(this.pending.map((one) => [one.id, one]))
    this.pending = inOrder(
      [...found]
        .filter((one) => one.can_decide)
        .map((one) => {
          const same = known.get(one.id)
          return same?.digest === one.digest && same.state === one.state ? same : one
        }),
    )
    if (this.putOff.size > 0) {
      const here = new Set(this.pending.map((one) => one.id))
      this.putOff = new Set([...this.putOff].filter((id) => here.has(id)))
    }
  }

  #all = false
  /** Milliseconds that the last look at all of them took: with a thousand, not one for each event. */
  #took = 0

  #soon(all: boolean, delay = Math.max(PAUSE, this.#took)) {
    this.#all ||= all
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#fetch(), delay)
  }

  async #fetch() {
    if (this.#all || this.#news.size > FEW || !this.loaded) return this.reload()
    const wanted = [...this.#news]
    this.#news.clear()
    try {
      const found = await Promise.all(
        wanted.map((id) =>
          take(api.GET('/api/approvals/{request_id}', { params: { path: { request_id: id } } })),
        ),
      )
      this.#set([...this.pending.filter((one) => !wanted.includes(one.id)), ...found])
    } catch {
      this.#soon(true) // It ended meanwhile, or nobody answers: look at all of them.
    }
  }
}

export const approvals = new Approvals()

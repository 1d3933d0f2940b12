/** One question before a person: what they have chosen, and whether their answer counts yet. */
import { Problem } from '$lib/api/client'

import { approvals } from './approvals.svelte'
import { Arming } from './arming'
import type { Approval } from './queue'
import type { Scope } from './words'

export class Asking {
  readonly approval: Approval
  scope = $state<Scope>('once')
  /** The index of a choice, or -1 for what was picked or written. */
  choice = $state(0)
  /** A rule in place of a choice. */
  rule = $state('')
  busy = $state<'allow' | 'deny' | null>(null)
  problem = $state.raw<Problem | null>(null)
  armed = $state(false)
  readonly #arming = new Arming(performance.now())
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(approval: Approval) {
    this.approval = approval
    // The narrowest of each; what was asked for may be wider, and is one click away.
    this.scope = approval.scopes[0] ?? 'once'
    this.#look()
  }

  /** The rule that is chosen; null where there is only yes and no. */
  get chosen(): string | null {
    return this.choice < 0 ? this.rule.trim() : (this.approval.choices[this.choice]?.rule ?? null)
  }

  get warning(): string | null {
    return this.choice < 0 ? null : (this.approval.choices[this.choice]?.warning ?? null)
  }

  get complete(): boolean {
    return this.choice >= 0 || this.rule.trim() !== ''
  }

  pick(rule: string) {
    this.rule = rule
    this.choice = -1
    this.problem = null
  }

  /** Follows where the buttons are; call what it returns when they are gone. */
  watch(buttons: HTMLElement): () => void {
    const look = () => this.#at(buttons)
    const disturb = () => {
      this.#arming.disturb(performance.now())
      this.#look()
    }
    const shown = () => document.hidden || disturb()
    this.#buttons = buttons
    disturb()
    look()
    const every = setInterval(look, 50)
    addEventListener('focus', disturb)
    document.addEventListener('visibilitychange', shown)
    return () => {
      this.#buttons = null
      clearInterval(every)
      clearTimeout(this.#timer)
      removeEventListener('focus', disturb)
      document.removeEventListener('visibilitychange', shown)
    }
  }

  /** A key that decides nothing. */
  typed() {
    if (this.#arming.typed(performance.now())) this.#look()
  }

  allow(): Promise<boolean> {
    return this.#answer(true)
  }

  deny(): Promise<boolean> {
    return this.#answer(false)
  }

  #buttons: HTMLElement | null = null

  #at(buttons: HTMLElement) {
    const { x, y } = buttons.getBoundingClientRect()
    this.#arming.at({ x, y }, performance.now())
    this.#look()
  }

  #look() {
    const now = performance.now()
    this.armed = this.#arming.armed(now)
    clearTimeout(this.#timer)
    if (!this.armed) this.#timer = setTimeout(() => this.#look(), this.#arming.left(now) + 1)
  }

  /** Whether an answer counts now. */
  ready(): boolean {
    if (this.#buttons) this.#at(this.#buttons) // It may have moved since the last look.
    return this.armed && this.busy === null
  }

  /** Whether it was decided. */
  async #answer(allow: boolean): Promise<boolean> {
    if (!this.ready() || (allow && !this.complete)) return false
    this.busy = allow ? 'allow' : 'deny'
    this.problem = null
    try {
      const how = this.choice < 0 ? { rule: this.rule.trim() } : { choice: this.choice }
      await approvals.decide(this.approval, allow, allow ? { scope: this.scope, ...how } : {})
      return true
    } catch (thrown) {
      this.problem = Problem.of(thrown)
      if (this.problem.status === 404 || this.problem.status === 409) void approvals.reload()
      return false
    } finally {
      this.busy = null
    }
  }
}

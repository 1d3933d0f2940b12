/** What was done, said in one line, with a way back for ten seconds. */
export interface Toast {
  id: number
  text: string
  kind: 'done' | 'failed'
  detail?: string
  undo?: () => unknown
  undoLabel: string
}

interface Options {
  detail?: string
  undo?: () => unknown
  undoLabel?: string
  kind?: 'done' | 'failed'
  seconds?: number
}

class Toasts {
  items = $state<Toast[]>([])
  /** Places of pages where the last is shown instead: over a question, nothing may float. */
  places = $state(0)
  #next = 1
  readonly #timers = new Map<number, { timer: ReturnType<typeof setTimeout>; left: number; since: number }>()

  say(text: string, options: Options = {}): number {
    const id = this.#next++
    this.items.push({
      id,
      text,
      kind: options.kind ?? 'done',
      detail: options.detail,
      undo: options.undo,
      undoLabel: options.undoLabel ?? 'Undo',
    })
    if (this.items.length > 4) this.dismiss(this.items[0]!.id)
    const seconds = options.seconds ?? (options.undo || options.kind === 'failed' ? 10 : 5)
    this.#run(id, seconds * 1000)
    return id
  }

  fail(text: string, detail?: string): number {
    return this.say(text, { kind: 'failed', detail })
  }

  dismiss(id: number) {
    clearTimeout(this.#timers.get(id)?.timer)
    this.#timers.delete(id)
    this.items = this.items.filter((item) => item.id !== id)
  }

  /** Nobody is hurried while they read or reach for it. */
  hold() {
    for (const entry of this.#timers.values()) {
      clearTimeout(entry.timer)
      entry.left = Math.max(1500, entry.left - (Date.now() - entry.since))
      entry.since = Date.now()
    }
  }

  resume() {
    for (const [id, entry] of [...this.#timers]) this.#run(id, entry.left)
  }

  async undo(toast: Toast) {
    this.dismiss(toast.id)
    try {
      await toast.undo?.()
    } catch (thrown) {
      this.fail('It could not be undone', thrown instanceof Error ? thrown.message : String(thrown))
    }
  }

  #run(id: number, time: number) {
    clearTimeout(this.#timers.get(id)?.timer)
    const timer = setTimeout(() => this.dismiss(id), time)
    this.#timers.set(id, { timer, left: time, since: Date.now() })
  }
}

export const toasts = new Toasts()

/**
 * The address is the state: what is shown follows from it, so that back works and a refresh keeps the
 * place. Links are plain <a href>; clicks on them are taken here.
 */

export interface Place {
  /** The segments of the path, decoded: `/components/weather` is `['components', 'weather']`. */
  path: readonly string[]
  query: URLSearchParams
}

function read(): Place {
  return {
    path: location.pathname.split('/').filter(Boolean).map(decode),
    query: new URLSearchParams(location.search),
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** An address within the window, from segments that may hold anything. */
export function to(path: readonly string[], query: Record<string, string | undefined> = {}): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value) search.set(key, value)
  const text = search.toString()
  return '/' + path.map(encodeURIComponent).join('/') + (text ? `?${text}` : '')
}

class Router {
  /** What is shown. It follows the address as soon as the page for it is there. */
  place = $state.raw<Place>(read())
  /**
   * Gets the page for a place, then calls `show`: what a page sees of the address changes together with
   * the page, never before it. Set by the shell.
   */
  prepare: (place: Place, show: () => void) => unknown = (_, show) => show()
  /** Whether leaving would lose something. Asked before every change of page; see `guardLeaving`. */
  #guards = new Set<() => string | null>()
  /** What to do instead of leaving: the shell shows a question. */
  held = $state.raw<{ question: string; go: () => void } | null>(null)
  #index = (history.state as { index?: number } | null)?.index ?? 0

  start() {
    history.replaceState({ index: this.#index }, '')
    addEventListener('popstate', (event) => this.#popped(event))
    addEventListener('click', (event) => this.#clicked(event))
    addEventListener('beforeunload', (event) => {
      if (this.#question()) event.preventDefault()
    })
  }

  /** Goes to an address of the window. `replace` leaves no step to come back to. */
  go(href: string, options: { replace?: boolean; force?: boolean } = {}) {
    const target = new URL(href, location.href)
    if (target.href === location.href) return
    const leave = () => {
      if (options.replace) history.replaceState({ index: this.#index }, '', target)
      else history.pushState({ index: ++this.#index }, '', target)
      this.#arrive()
    }
    // A change of the query alone (a tab, a filter) leaves nothing.
    const stays = target.pathname === location.pathname
    const question = stays || options.force ? null : this.#question()
    if (question) this.held = { question, go: leave }
    else leave()
  }

  /** Sets or (with undefined) removes parts of the query. */
  query(changes: Record<string, string | undefined>, options: { replace?: boolean } = { replace: true }) {
    const query = Object.fromEntries(this.place.query)
    this.go(to(this.place.path, { ...query, ...changes }), options)
  }

  /** While the returned function is not called, leaving the page asks what `question` answers, if any. */
  guardLeaving(question: () => string | null): () => void {
    this.#guards.add(question)
    return () => this.#guards.delete(question)
  }

  leave() {
    const held = this.held
    this.held = null
    held?.go()
  }

  stay() {
    this.held = null
  }

  #question(): string | null {
    for (const guard of this.#guards) {
      const question = guard()
      if (question) return question
    }
    return null
  }

  #popped(event: PopStateEvent) {
    const index = (event.state as { index?: number } | null)?.index ?? 0
    const question = location.pathname === '/' + this.place.path.map(encodeURIComponent).join('/') ? null : this.#question()
    if (question) {
      // The browser has gone already: back to where we are, and ask.
      const step = index - this.#index
      this.held = {
        question,
        go: () => {
          this.#guards.clear()
          history.go(step)
        },
      }
      this.#skip = true
      history.go(-step)
      return
    }
    if (this.#skip) {
      this.#skip = false
      return
    }
    this.#index = index
    this.#arrive()
  }
  #skip = false

  #arrive() {
    const place = read()
    const address = location.href
    this.prepare(place, () => {
      if (location.href === address) this.place = place
    })
  }

  #clicked(event: MouseEvent) {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = (event.target as Element | null)?.closest?.('a[href]')
    if (!(link instanceof HTMLAnchorElement)) return
    if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (/^\/(api|events|open)\b/.test(link.pathname)) return
    event.preventDefault()
    this.go(link.href)
  }
}

export const router = new Router()

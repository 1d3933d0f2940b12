/**
 * What happens, as it happens: one stream for the window. The browser reconnects by itself and says
 * what it saw last; where it gives up (the backend was restarted) we go on trying.
 *
 * `hello` comes with every connection. When it says that something was missed, or the backend is another
 * one than before, everything is asked for again: see `onEvent('*', …)` and `resource`.
 */
import type { Schemas } from './api/client'

type S = Schemas['schemas']

/** What comes with each, as the backend says it. */
export interface EventData {
  hello: S['Hello']
  status: S['StatusEvent']
  components: S['ComponentsEvent']
  approval: S['ApprovalEvent']
  activity: S['ActivityEvent']
  load: S['LoadEvent']
  clients: S['ClientsEvent']
  /** Something was missed: everything has to be asked for again. */
  '*': S['Hello']
}
export type EventType = Exclude<keyof EventData, '*'>
type Handler<T extends keyof EventData = keyof EventData> = (data: EventData[T]) => void

const TYPES: EventType[] = ['hello', 'status', 'components', 'approval', 'activity', 'load', 'clients']
const FIRST_WAIT = 500
/** For how long a page waits for the stream to be there before it asks for anything. */
const PATIENCE = 500
const LONGEST_WAIT = 10_000

class Events {
  state = $state<'starting' | 'live' | 'lost'>('starting')
  readonly #handlers = new Map<keyof EventData, Set<Handler<never>>>()
  #source: EventSource | null = null
  #wait = FIRST_WAIT
  #timer: ReturnType<typeof setTimeout> | undefined
  #greeted = false
  #begun: () => void = () => undefined

  /**
   * The stream is there, so nothing that is asked for from now on can change unnoticed; or it is late, and
   * then everything is asked for again when it comes.
   */
  readonly begun = new Promise<void>((resolve) => (this.#begun = resolve))

  start() {
    this.#connect()
    setTimeout(() => {
      this.#greeted = true
      this.#begun()
    }, PATIENCE)
    // A laptop that wakes up does not wait.
    addEventListener('online', () => this.#again())
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.state === 'lost') this.#again()
    })
  }

  stop() {
    clearTimeout(this.#timer)
    this.#source?.close()
    this.#source = null
  }

  /** Calls `handler` for every event of the type; `*` when everything has to be asked for again. */
  on<T extends keyof EventData>(type: T, handler: Handler<T>): () => void {
    const handlers = this.#handlers.get(type) ?? new Set<Handler<never>>()
    this.#handlers.set(type, handlers)
    handlers.add(handler)
    return () => handlers.delete(handler)
  }

  #connect() {
    clearTimeout(this.#timer)
    this.#source?.close()
    const source = new EventSource('/events')
    this.#source = source
    source.onopen = () => {
      this.state = 'live'
      this.#wait = FIRST_WAIT
    }
    source.onerror = () => {
      this.state = 'lost'
      if (source.readyState === EventSource.CLOSED) this.#later()
    }
    for (const type of TYPES)
      source.addEventListener(type, (event) => this.#arrived(type, (event as MessageEvent<string>).data))
  }

  #arrived(type: EventType, text: string) {
    let data: unknown
    try {
      data = JSON.parse(text)
    } catch {
      return // Not ours; the next one may be.
    }
    if (type === 'hello') {
      if (this.#greeted && !(data as EventData['hello']).resumed) this.#tell('*', data)
      this.#greeted = true
      this.#begun()
    }
    this.#tell(type, data)
  }

  #tell(type: keyof EventData, data: unknown) {
    for (const handler of [...(this.#handlers.get(type) ?? [])]) handler(data as never)
  }

  #later() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#connect(), this.#wait)
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT)
  }

  #again() {
    if (this.state !== 'live') this.#connect()
  }
}

export const events = new Events()

/** In a component: `handler` for as long as the component is there. */
export function onEvent<T extends keyof EventData>(type: T, handler: Handler<T>) {
  $effect(() => events.on(type, handler))
}

/** What runs, who is connected, what waits: the rail and Home show it, and it follows the events. */
import { api, Problem, take, type Schemas } from './api/client'
import { events } from './events.svelte'

export type Status = Schemas['schemas']['Status']

class StatusStore {
  value = $state.raw<Status | null>(null)
  problem = $state.raw<Problem | null>(null)
  #timer: ReturnType<typeof setTimeout> | undefined

  start() {
    events.on('status', (event) => (this.value = event.status))
    for (const type of ['approval', 'components', '*'] as const) events.on(type, () => this.#soon())
    void this.reload()
  }

  async reload() {
    try {
      this.value = await take(api.GET('/api/status'))
      this.problem = null
    } catch (thrown) {
      this.problem = Problem.of(thrown)
      this.#soon(3000)
    }
  }

  #soon(delay = 120) {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.reload(), delay)
  }

  async pause(paused: boolean) {
    await take(api.POST('/api/pause', { body: { paused } }))
    await this.reload()
  }

  /** Whether a tool of this component runs. */
  runs(componentId: string): boolean {
    return this.value?.running_calls.some((call) => call.component_id === componentId) ?? false
  }
}

export const status = new StatusStore()

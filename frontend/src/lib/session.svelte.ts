/** Who this window is to the backend. */
import { api, authorise, onSignedOut, Problem, take, type Schemas } from './api/client'

type SessionData = Schemas['schemas']['Session']

class Session {
  data = $state.raw<SessionData | null>(null)
  state = $state<'starting' | 'ready' | 'signed-out' | 'unreachable'>('starting')

  async start() {
    onSignedOut(() => (this.state = 'signed-out'))
    try {
      const data = await take(api.GET('/api/session'))
      authorise(data.csrf)
      this.data = data
      this.state = 'ready'
    } catch (thrown) {
      const problem = Problem.of(thrown)
      this.state = problem.status === 401 ? 'signed-out' : 'unreachable'
    }
  }
}

export const session = new Session()

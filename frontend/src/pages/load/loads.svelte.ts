/** Loads: starting one, and following it. */
import { api, csrfToken, Problem, take, type Schemas } from '$lib/api/client'

export type Load = Schemas['schemas']['Load']
export type Stage = Load['stage']

/** Loads what a reference names; with a digest, those bytes and no others. Answers the load's id; its page is `/load/ID`. */
export async function startLoad(reference: string, digest: string | null = null): Promise<string> {
  return (await take(api.POST('/api/loads', { body: { reference, digest } }))).id
}

/** A file that is being sent. It can be large, so how far it is is told, and it can be stopped. */
export class Upload {
  readonly name: string
  readonly size: number
  sent = $state(0)
  readonly id: Promise<string>
  readonly #request = new XMLHttpRequest()

  constructor(file: File) {
    this.name = file.name
    this.size = file.size
    this.id = new Promise((resolve, reject) => {
      const request = this.#request
      request.open('POST', `/api/loads/upload?name=${encodeURIComponent(file.name)}`)
      request.setRequestHeader('X-Wassette-CSRF', csrfToken())
      request.setRequestHeader('Content-Type', 'application/octet-stream')
      request.responseType = 'json'
      request.upload.onprogress = (event) => (this.sent = event.loaded)
      request.onload = () => {
        const answer = request.response as { id?: string } | null
        if (request.status < 300 && answer?.id) resolve(answer.id)
        else reject(new Problem(request.status, answer))
      }
      request.onerror = () => reject(Problem.of(new TypeError('no answer')))
      request.onabort = () => reject(new Problem(-1, { title: 'Cancelled' }))
      request.send(file)
    })
  }

  cancel() {
    this.#request.abort()
  }
}

/** Why a file is not worth sending, if it is plain already. */
export function refusal(file: File): string | null {
  if (file.size === 0) return `${file.name} is empty.`
  if (!/\.wasm$/i.test(file.name))
    return `${file.name} is not a .wasm file. A component is one; its author can tell how it is built.`
  return null
}

/** What is being loaded, in short: the last part of where it is from. */
export function shortName(reference: string): string {
  const plain = reference.replace(/^upload:/, '')
  return plain.split('/').pop() || plain
}

/** The stages as a person sees them, in their order. */
export const STAGES: { stage: Stage; label: string; doing: string }[] = [
  { stage: 'download', label: 'Get', doing: 'Getting it' },
  { stage: 'verify', label: 'Verify', doing: 'Checking its digest and signature' },
  { stage: 'examine', label: 'Examine', doing: 'Reading what it needs, in a sandbox' },
  { stage: 'compile', label: 'Compile', doing: 'Compiling it' },
]

export function ended(stage: Stage): boolean {
  return stage === 'done' || stage === 'failed' || stage === 'cancelled'
}

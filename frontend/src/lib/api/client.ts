/**
 * The backend, typed by its OpenAPI schema. A request that changes something carries the session's CSRF
 * token; whatever goes wrong arrives as a `Problem`, which says what happened and the way out.
 */
import createClient from 'openapi-fetch'

import type { paths } from './schema'

export type { components as Schemas } from './schema'

/** RFC 9457, and what Wassette adds to it. */
export class Problem extends Error {
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly wayOut: string | null
  readonly where: { line: number; column: number } | null
  readonly more: Record<string, unknown>

  constructor(status: number, body: unknown) {
    const told = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
    const title = typeof told.title === 'string' ? told.title : FALLBACK[status] ?? 'The request failed'
    const detail = typeof told.detail === 'string' ? told.detail : ''
    super(detail || title)
    this.name = 'Problem'
    this.status = status
    this.title = title
    this.detail = detail
    this.wayOut = typeof told.way_out === 'string' ? told.way_out : null
    const where = told.where as { line?: unknown; column?: unknown } | null | undefined
    this.where =
      where && typeof where.line === 'number'
        ? { line: where.line, column: typeof where.column === 'number' ? where.column : 1 }
        : null
    this.more = told
  }

  /** Wassette did not answer at all. */
  get unreachable() {
    return this.status === 0
  }

  static of(thrown: unknown): Problem {
    if (thrown instanceof Problem) return thrown
    if (thrown instanceof DOMException && thrown.name === 'AbortError')
      return new Problem(-1, { title: 'Cancelled' })
    if (thrown instanceof TypeError)
      return new Problem(0, {
        title: 'Wassette does not answer',
        detail: 'The program behind this window does not run, or is busy.',
        way_out: 'It is tried again by itself. If it has ended, start it again with `wassette ui`.',
      })
    return new Problem(-2, {
      title: 'This window made a mistake',
      detail: thrown instanceof Error ? thrown.message : String(thrown),
    })
  }
}

const FALLBACK: Record<number, string> = {
  401: 'This window is no longer signed in',
  403: 'This is not allowed here',
  404: 'There is nothing here',
  409: 'It has changed meanwhile',
  413: 'This is too large',
  422: 'This cannot be used as it is',
  500: 'Wassette made a mistake',
}

let csrf = ''
let signedOut: () => void = () => undefined

export function authorise(token: string) {
  csrf = token
}

/** What happens when the backend no longer knows this window. */
export function onSignedOut(handler: () => void) {
  signedOut = handler
}

/** `fetch` with the session's token, for what the typed client does not do (uploads). */
export async function send(request: Request): Promise<Response> {
  if (request.method !== 'GET' && request.method !== 'HEAD') request.headers.set('X-Wassette-CSRF', csrf)
  const response = await fetch(request)
  if (response.status === 401) signedOut()
  return response
}

/** The token, for requests that have to be made without `fetch` (uploads that tell their progress). */
export function csrfToken() {
  return csrf
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send })

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** What was asked for, or a `Problem`: `const status = await take(api.GET('/api/status'))`. */
export async function take<T>(request: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await request
  } catch (thrown) {
    throw Problem.of(thrown)
  }
  if (!answer.response.ok) throw new Problem(answer.response.status, answer.error)
  return answer.data as T
}

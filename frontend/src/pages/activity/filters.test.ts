import { describe, expect, it } from 'vitest'

import { fits, fromAddress, isFiltered, toAddress, type Filters } from './filters'

describe('filters in the address', () => {
  it.each<[Filters]>([
    [{}],
    [{ kind: 'call', outcome: 'error' }],
    [{ component: 'weather', client: 'Claude Code', tool: 'get-weather', q: 'a&b=c #1 é' }]
  ])('come back as they were: %j', (filters) => {
    expect(fromAddress(new URLSearchParams(toAddress(filters).toString()))).toEqual(filters)
  })

  it.each([['kind=party'], ['outcome='], ['q='], ['kind=__proto__'], ['unknown=1']])(
    'leave out what they do not know: %s',
    (address) => {
      expect(fromAddress(new URLSearchParams(address))).toEqual({})
    }
  )

  it('know whether there are any', () => {
    expect(isFiltered({})).toBe(false)
    expect(isFiltered({ q: '' })).toBe(false)
    expect(isFiltered({ tool: 'x' })).toBe(true)
  })
})

describe('a new entry', () => {
  const entry = {
    kind: 'access',
    outcome: 'denied',
    what: 'GET https://API.example.com/',
    component: 'weather',
    client: 'Editor',
    reason: 'no rule allows it'
  }
  it.each<[Filters, boolean]>([
    [{}, true],
    [{ kind: 'access' }, true],
    [{ kind: 'call' }, false],
    [{ outcome: 'denied', component: 'weather' }, true],
    [{ outcome: 'denied', component: 'other' }, false],
    [{ tool: 'forecast' }, false],
    [{ q: 'api.EXAMPLE' }, true],
    [{ q: 'No Rule' }, true],
    [{ q: 'weather' }, false]
  ])('fits %j: %s', (filters, expected) => {
    expect(fits(entry, filters)).toBe(expected)
  })
})

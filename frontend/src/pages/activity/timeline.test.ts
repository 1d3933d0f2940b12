import { describe, expect, it } from 'vitest'

import { KEPT, arrived, caughtUp, empty, extended, opened, windowed } from './timeline'

const entries = (...numbers: number[]) => numbers.map((number) => ({ number }))
const numbers = (of: { number: number }[]) => of.map((one) => one.number)

describe('the timeline', () => {
  it('has pages, newest first, without gaps or doubles', () => {
    let timeline = opened(empty<{ number: number }>(), entries(9, 8, 7), '7')
    timeline = extended(timeline, entries(7, 6, 5), null)
    expect(numbers(timeline.entries)).toEqual([9, 8, 7, 6, 5])
    expect(timeline.next).toBe(null)
  })

  it('keeps what came live before the first page did', () => {
    let timeline = arrived(empty<{ number: number }>(), entries(10), false)
    timeline = opened(timeline, entries(10, 9), '9')
    expect(numbers(timeline.entries)).toEqual([10, 9])
  })

  it('takes live entries in any order, also twice', () => {
    let timeline = opened(empty<{ number: number }>(), entries(3, 2), null)
    timeline = arrived(timeline, entries(5), false)
    timeline = arrived(timeline, entries(4, 5), false)
    expect(numbers(timeline.entries)).toEqual([5, 4, 3, 2])
  })

  it('does not move under the eyes of who reads further down', () => {
    let timeline = opened(empty<{ number: number }>(), entries(3), null)
    timeline = arrived(timeline, entries(4), true)
    timeline = arrived(timeline, entries(5, 3), true)
    expect(numbers(timeline.entries)).toEqual([3])
    expect(numbers(timeline.waiting)).toEqual([5, 4])
    timeline = caughtUp(timeline)
    expect(numbers(timeline.entries)).toEqual([5, 4, 3])
    expect(timeline.waiting).toEqual([])
  })

  it('lets the oldest go, and knows from where to fetch them again', () => {
    const many = Array.from({ length: KEPT }, (_, index) => ({ number: KEPT - index }))
    let timeline = opened(empty<{ number: number }>(), many, null)
    timeline = arrived(timeline, entries(KEPT + 1), false)
    expect(timeline.entries).toHaveLength(KEPT)
    expect(timeline.entries[0]?.number).toBe(KEPT + 1)
    expect(timeline.next).toBe(2)
  })
})

describe('the rows that are drawn', () => {
  it('are those in sight and some around', () => {
    expect(windowed(100_000, 40, 0, 800)).toEqual({ first: 0, last: 32 })
    expect(windowed(100_000, 40, 40_000, 800)).toEqual({ first: 988, last: 1032 })
    expect(windowed(10, 40, 0, 800)).toEqual({ first: 0, last: 10 })
  })
  it('are never outside of the list', () => {
    expect(windowed(0, 40, 500, 800)).toEqual({ first: 0, last: 0 })
    expect(windowed(5, 40, 90_000, 800)).toEqual({ first: 4, last: 5 })
    expect(windowed(5, 0, 0, 800)).toEqual({ first: 0, last: 0 })
  })
})

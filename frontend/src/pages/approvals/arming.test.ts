import { describe, expect, it } from 'vitest'

import { Arming, REST } from './arming'

describe('a question that has just appeared', () => {
  it('takes no answer until a person could have seen it', () => {
    const arming = new Arming(1000)
    expect(arming.armed(1000)).toBe(false)
    expect(arming.armed(1000 + REST - 1)).toBe(false)
    expect(arming.armed(1000 + REST)).toBe(true)
    expect(arming.left(1200)).toBe(REST - 200)
  })

  it('starts again when its buttons move', () => {
    const arming = new Arming(0)
    arming.at({ x: 10, y: 10 }, 0)
    expect(arming.armed(600)).toBe(true)
    arming.at({ x: 10, y: 60 }, 700)
    expect(arming.armed(1199)).toBe(false)
    expect(arming.armed(1200)).toBe(true)
  })

  it('does not take rounding for a move', () => {
    const arming = new Arming(0)
    arming.at({ x: 10, y: 10 }, 0)
    arming.at({ x: 10.6, y: 9.7 }, 800)
    expect(arming.armed(801)).toBe(true)
  })

  it('follows a slow move, too', () => {
    const arming = new Arming(0)
    for (let y = 0; y < 100; y++) arming.at({ x: 0, y: y * 2 }, y * 16)
    expect(arming.armed(99 * 16 + REST - 1)).toBe(false)
  })

  it('starts again when the window comes to the front', () => {
    const arming = new Arming(0)
    arming.disturb(5000)
    expect(arming.armed(5400)).toBe(false)
  })

  it('waits until somebody who types has stopped', () => {
    const arming = new Arming(0)
    for (let at = 100; at < 2000; at += 200) expect(arming.typed(at)).toBe(true)
    expect(arming.armed(2000)).toBe(false)
    expect(arming.armed(1900 + REST)).toBe(true)
    expect(arming.typed(3000)).toBe(false)
    expect(arming.armed(3001)).toBe(true)
  })
})

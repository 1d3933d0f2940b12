// A question must not be answered by a click or key that was meant for something else. Whatever a
// person did before they could have read it does not count: buttons are dead for a while after the
// question appears, moves, or the window comes to the front, and typing that goes on starts the
// wait again (somebody in the middle of a sentence presses Enter sooner or later).

export const REST = 500 // milliseconds; see the direction in docs/window.md
const SLACK = 1 // a pixel of rounding is no move

export interface Place {
  x: number
  y: number
}

export class Arming {
  #since: number
  #place: Place | null = null

  constructor(now: number) {
    this.#since = now
  }

  /** Something appeared or came to the front: wait anew. */
  disturb(now: number): void {
    this.#since = now
  }

  /** Where the buttons are now. */
  at(place: Place, now: number): void {
    const before = this.#place
    this.#place = place
    if (before && Math.abs(before.x - place.x) <= SLACK && Math.abs(before.y - place.y) <= SLACK) {
      return
    }
    this.disturb(now)
  }

  /** A key was pressed that decides nothing; true if it came too early. */
  typed(now: number): boolean {
    if (this.armed(now)) return false
    this.disturb(now)
    return true
  }

  armed(now: number): boolean {
    return now - this.#since >= REST
  }

  /** Milliseconds until it is. */
  left(now: number): number {
    return Math.max(0, this.#since + REST - now)
  }
}

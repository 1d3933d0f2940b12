// A unified diff as lines to draw. Only the marks are looked at; what is in a line is never changed.

export type Mark = 'file' | 'place' | 'same' | 'added' | 'removed' | 'note'

export interface Line {
  mark: Mark
  /** As it is in the diff, without the sign in front. */
  text: string
  /** The number of the line in the file before and after. */
  before: number | null
  after: number | null
}

const PLACE = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/

/** A line inside a hunk may begin with `---`; so the counts of its heading say where it ends. */
export function lines(diff: string): Line[] {
  const found: Line[] = []
  let before = 0
  let after = 0
  let oldLeft = 0
  let newLeft = 0
  const all = diff.split('\n')
  if (all.at(-1) === '') all.pop()
  for (const line of all) {
    const sign = line.charAt(0)
    if (oldLeft > 0 || newLeft > 0) {
      const text = line.slice(1)
      if (sign === '-' && oldLeft > 0) {
        found.push({ mark: 'removed', text, before: before++, after: null })
        oldLeft--
        continue
      }
      if (sign === '+' && newLeft > 0) {
        found.push({ mark: 'added', text, before: null, after: after++ })
        newLeft--
        continue
      }
      if (sign === ' ' && oldLeft > 0 && newLeft > 0) {
        found.push({ mark: 'same', text, before: before++, after: after++ })
        oldLeft--
        newLeft--
        continue
      }
    }
    const place = PLACE.exec(line)
    if (place) {
      before = Number(place[1])
      after = Number(place[3])
      oldLeft = Number(place[2] ?? 1)
      newLeft = Number(place[4] ?? 1)
      found.push({ mark: 'place', text: line, before: null, after: null })
    } else if (sign === '\\') {
      found.push({ mark: 'note', text: line.slice(1).trim(), before: null, after: null })
    } else {
      found.push({ mark: 'file', text: line, before: null, after: null })
    }
  }
  return found
}

export function counts(diff: string): { added: number; removed: number } {
  const all = lines(diff)
  return {
    added: all.filter((one) => one.mark === 'added').length,
    removed: all.filter((one) => one.mark === 'removed').length
  }
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u
const BETWEEN = /([/\\.:?&=#@“”"'()[\]{},;]+)/

export interface Part {
  text: string
  /** Has letters that are written from right to left. */
  apart: boolean
}

/** A text as its parts, none of which can move another; joined, they are the text. */
export function parts(text: string): Part[] {
  if (!RIGHT_TO_LEFT.test(text)) return [{ text, apart: false }]
  return text
    .split(BETWEEN)
    .filter((part) => part !== '')
    .map((part) => ({ text: part, apart: RIGHT_TO_LEFT.test(part) }))
}

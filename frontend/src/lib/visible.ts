/**
 * `visible`: text of a component, a client or an agent with everything that could deceive a reader
 * made visible. The same as `wassette.errors.visible`, code point for code point (a test compares them).
 */

// Cc control, Cf format (bidi, zero-width, TAG), Cs surrogates, Co private use, Cn unassigned, Zl/Zp
// line and paragraph separators; variation selectors; letters and symbols that are drawn as nothing.
const DECEIVES =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b-\u180d\u180f\u{1d159}]/gu

const coded = (char: string) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`

/** For names and short quotations: cut at `limit` characters (code points). */
export function visible(text: string, limit = 200): string {
  const cut = first(text, limit)
  return cut.replace(DECEIVES, coded) + (cut.length < text.length ? '…' : '')
}

/** For text in a block of its own (output, arguments): line breaks and tabs stay what they are. */
export function visibleBlock(text: string, limit = 200_000): string {
  const cut = first(text.replaceAll('\r\n', '\n'), limit)
  const shown = cut.replace(DECEIVES, (char) => (char === '\n' || char === '\t' ? char : coded(char)))
  return shown + (cut.length < text.replaceAll('\r\n', '\n').length ? '\n…' : '')
}

/** For sentences and paragraphs, which flow: a line break in them is a space. */
export function prose(text: string, limit = 500): string {
  return visible(text.trim().replace(/[ \t]*\r?\n[ \t]*/g, ' '), limit)
}

/** Whether `visible` changes anything, or the text could be taken for another: not plain ASCII. */
export function unusual(text: string): boolean {
  return /[^\x20-\x7e]/.test(text)
}

function first(text: string, limit: number): string {
  if (text.length <= limit) return text
  let cut = ''
  let count = 0
  for (const char of text) {
    if (count++ >= limit) break
    cut += char
  }
  return cut
}

import { describe, expect, it } from 'vitest'

import { counts, lines } from './diff'

const DIFF = `--- /home/me/.cursor/mcp.json
+++ /home/me/.cursor/mcp.json
@@ -1,4 +1,5 @@
 {
--- x
+++ y
+  "wassette": {},
   "other": 1
 }
\\ No newline at end of file
`

describe('a diff', () => {
  it('has the numbers of its lines', () => {
    expect(lines(DIFF).map((one) => [one.mark, one.before, one.after, one.text])).toEqual([
      ['file', null, null, '--- /home/me/.cursor/mcp.json'],
      ['file', null, null, '+++ /home/me/.cursor/mcp.json'],
      ['place', null, null, '@@ -1,4 +1,5 @@'],
      ['same', 1, 1, '{'],
      ['removed', 2, null, '-- x'],
      ['added', null, 2, '++ y'],
      ['added', null, 3, '  "wassette": {},'],
      ['same', 3, 4, '  "other": 1'],
      ['same', 4, 5, '}'],
      ['note', null, null, 'No newline at end of file']
    ])
  })

  it('takes a line that looks like a heading for what it is', () => {
    const found = lines('--- a\n+++ b\n@@ -1 +1 @@\n-@@ -9 +9 @@\n+--- evil\n')
    expect(found.map((one) => one.mark)).toEqual(['file', 'file', 'place', 'removed', 'added'])
  })

  it('keeps every character', () => {
    const text = DIFF.split('\n').slice(0, -1)
    const again = lines(DIFF).map((one) => {
      const sign = { same: ' ', added: '+', removed: '-', note: '\\ ', file: '', place: '' }[one.mark]
      return sign + one.text
    })
    expect(again).toEqual(text)
  })

  it('can be nothing', () => {
    expect(lines('')).toEqual([])
    expect(counts(DIFF)).toEqual({ added: 2, removed: 1 })
  })
})

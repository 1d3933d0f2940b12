import { describe, expect, it } from 'vitest'

import type { Approval } from './queue'
import { remarks } from './words'

function about(...lines: string[]): Approval {
  return { text: ['Load a component from “x”?', ...lines.map((line) => `  ${line}`)].join('\n') } as Approval
}

describe('what is known of a component that is to be loaded', () => {
  it('is shown, several of a kind together', () => {
    const { facts, careful, notes } = remarks(
      about(
        'Bytes: sha256 abc',
        'Signature: none',
        'Could: read or write files that you allow',
        'Cannot: reach the network: it imports nothing for that',
        'Asks for: “network a.example.com”',
        'Asks for: “network b.example.com”',
        'Careful: it imports “x”',
        'Note: “otherwise than before: …”',
      ),
    )
    expect(facts).toEqual([
      { label: 'Signature', values: ['none'], kind: 'none' },
      { label: 'It could', values: ['read or write files that you allow'], kind: null },
      { label: 'It cannot', values: ['reach the network: it imports nothing for that'], kind: null },
      { label: 'It asks for', values: ['“network a.example.com”', '“network b.example.com”'], kind: null },
    ])
    expect(careful).toEqual(['it imports “x”'])
    expect(notes).toEqual([{ label: 'Note', value: '“otherwise than before: …”' }])
  })

  it.each([
    ['by “acme (says idp)”, whom your settings name', 'allow'],
    ['by “acme (says idp)”, whom your settings do not name', 'none'],
    // What a signer is called is theirs to choose, and says nothing.
    ['by “x, whom your settings name”, whom your settings do not name', 'none'],
    ['none that is valid: “whom your settings name”', 'deny'],
    ['none', 'none'],
    ['looked at when it is fetched; it is loaded without one, too', 'none'],
  ])('says what a signature is: %s', (text, kind) => {
    expect(remarks(about(`Signature: ${text}`)).facts[0]?.kind).toBe(kind)
  })
})
